"""What users have used of today against each of their limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from cofounder_server import db
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plan
from cofounder_server.identity.accounts import DEFAULT_PLAN
from cofounder_server.ledger.model import UNLIMITED
from cofounder_server.usage.limits import Account, day_of, reset_of, tokens_a_day

sql = db.queries("cofounder_server.usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of one limit is used. Cost is in millionths of a US dollar."""

    limit: str
    # More than is allowed where the plan was lowered, or a call came to more than was set aside for it.
    used: int
    reserved: int = 0
    # `UNLIMITED`: no limit.
    allowed: int
    # None where nothing starts anew: what runs at once.
    reset_time: datetime | None


async def read(source: db.Source, user_ids: Sequence[str], now: datetime) -> Mapping[str, Sequence[Use]]:
    """Returns, for each user, the use of the UTC day of `now` against each limit, by plan and settings as of now."""
    day = day_of(now)
    rows = await source.fetch(sql.read_today, user_ids, day, DEFAULT_PLAN)
    known = await plans.read(source)
    return {row["user_id"]: _uses(row, known[row["plan_slug"]], day) for row in rows}


def _uses(row: asyncpg.Record, plan: Plan, day: date) -> Sequence[Use]:
    tokens = tokens_a_day(plan, Account(**{name: row[name] for name in _SETTINGS}))
    reset = reset_of(day)
    return (
        Use(
            limit="tokens_per_day",
            used=row["spent_tokens"],
            reserved=row["reserved_tokens"],
            allowed=tokens,
            reset_time=reset,
        ),
        Use(limit="builds_per_day", used=row["builds"], allowed=plan.builds_a_day, reset_time=reset),
        Use(
            limit="cost_per_day",
            used=row["spent_microdollars"],
            reserved=row["reserved_microdollars"],
            allowed=UNLIMITED,
            reset_time=reset,
        ),
        Use(limit="concurrent_builds", used=row["running"], allowed=plan.concurrent_user, reset_time=None),
    )


_SETTINGS = ("user_id", "plan_slug", "override_tokens_per_day")
