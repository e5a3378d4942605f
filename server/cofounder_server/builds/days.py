"""The days of a plan: which UTC day a build takes its place on, and when it may then begin."""

import zlib
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from cofounder_server import db, errors
from cofounder_server.billing.plans import Plan

sql = db.queries("cofounder_server.builds")

# How many days ahead a build may be put off; beyond, it is refused.
MAX_DAYS_AHEAD = 7


async def take(connection: db.Connection, payer_id: str, plan: Plan, now: datetime) -> date:
    """Takes one of the payer's builds of the first day that has one left, in the connection's transaction.

    Whoever takes one of the same day meanwhile waits for that transaction, so no day is ever overdrawn.

    Raises:
        QuotaExceeded: The coming days are spent too.
    """
    today = now.astimezone(UTC).date()
    for ahead in range(MAX_DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        if await connection.fetchval(sql.count_build, payer_id, day, plan.builds_a_day):
            return day
    tomorrow = datetime.combine(today + timedelta(days=1), time.min, UTC)
    raise errors.QuotaExceeded(
        quota="builds_per_day", limit=plan.builds_a_day, plan=plan.plan_slug, reset_time=tomorrow, now=now
    )


def start_of(day: date, build_id: UUID, *, spread_seconds: float) -> datetime:
    """Returns when a build that was put off to `day` joins the queue: some time within its first `spread_seconds`,
    the same for the same build, so that not all begin at midnight."""
    share = zlib.crc32(build_id.bytes) / 2**32
    return datetime.combine(day, time.min, UTC) + timedelta(seconds=share * spread_seconds)
