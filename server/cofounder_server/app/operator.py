"""What an operator sees of the queue and does to it: everything that `cofounder-server queue` offers."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from redis.exceptions import RedisError

from cofounder_server import db
from cofounder_server.app.ground import Ground, Seams, ground
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plans
from cofounder_server.builds import rebuild
from cofounder_server.builds.fork import Forks
from cofounder_server.builds.model import HELD
from cofounder_server.builds.queue import Contents, IndexLost
from cofounder_server.builds.transitions import entry_of
from cofounder_server.settings import Settings

sql = db.queries("cofounder_server.builds")
workers = db.queries("cofounder_server.worker")

DEAD_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Picture:
    """The queue as of one moment: plain values, ready to be printed."""

    time: datetime
    # By state, of all builds that are not over.
    states: Mapping[str, int]
    waiting: Sequence[Mapping[str, Any]]
    leases: Sequence[Mapping[str, Any]]
    permits: Sequence[Mapping[str, Any]]
    workers: Sequence[Mapping[str, Any]]
    dead_letters: Sequence[Mapping[str, Any]]
    # True if Redis holds an index that was made for its present run.
    index_built: bool


class Operator:
    """An operator at work over one Postgres and one Redis."""

    def __init__(self, base: Ground) -> None:
        self._base = base
        self._forks = Forks(base.pool, base.log, base.publisher, base.queue, base.clock)

    async def picture(self) -> Picture:
        """Returns the queue as it is."""
        pool, now = self._base.pool, self._base.clock.now()
        contents = await self._base.queue.contents()
        known = await plans.read(pool)
        rows = await pool.fetch(sql.list_unfinished)
        alive = {row["build_id"]: row for row in rows}
        return Picture(
            time=now,
            states=dict(Counter(row["state"] for row in rows)),
            waiting=[_waiting(row, contents, now) for row in rows if row["state"] in ("queued", "scheduled")],
            leases=[
                {
                    "build_id": str(holding.build_id),
                    "owner": holding.owner,
                    "seconds": round(holding.seconds, 1),
                    "state": alive[holding.build_id]["state"] if holding.build_id in alive else "over",
                }
                for holding in contents.holdings.values()
            ],
            permits=_permits(alive.values(), known),
            workers=[dict(row) for row in await pool.fetch(workers.list_workers)],
            dead_letters=[_dead(row) for row in await pool.fetch(sql.list_dead, DEAD_LETTERS)],
            index_built=contents.built,
        )

    async def drain(self, worker_id: str, *, draining: bool) -> int:
        """Has a worker, or "all", take no more builds, or take builds again; returns how many heard it."""
        rows = await self._base.pool.fetch(workers.set_draining, worker_id, draining)
        return len(rows)

    async def requeue(self, build_id: UUID) -> None:
        """Takes a build from its worker, or from the time it waits for, and puts it back to its place in the queue.

        Raises NotFound, WrongState.
        """
        job = await self._base.transitions.requeue(build_id)
        # Should Redis be away, the sweeper does it.
        with contextlib.suppress(RedisError, IndexLost):
            await self._base.queue.forget(build_id)
            if not job.state.over:
                await self._base.queue.add(entry_of(job))

    async def replay(self, build_id: UUID) -> tuple[UUID, int]:
        """Has a dead letter go on as a fork; returns it and the sequence it shares. Raises NotFound, WrongState."""
        return await self._forks.replay(build_id)

    async def rebuild(self) -> bool:
        """Makes the index again from Postgres if it is lost; False if it was not."""
        return await rebuild.rebuild(self._base.pool, self._base.queue)


@contextlib.asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Operator]:
    """Gives an operator over the stores that the settings name."""
    async with ground(settings, Seams(), connections=2) as base:
        yield Operator(base)


def _waiting(row: asyncpg.Record, contents: Contents, now: datetime) -> dict[str, Any]:
    return {
        "build_id": str(row["build_id"]),
        "state": row["state"],
        "payer_id": row["payer_id"],
        "project_id": str(row["project_id"]),
        "plan": row["plan_slug"],
        "place": row["priority"],
        "waited_seconds": round((now - row["create_time"]).total_seconds(), 1),
        "blocked": row["build_id"] in contents.blocked,
        "start_after": row["start_after"],
    }


def _permits(rows: Any, known: Plans) -> list[dict[str, Any]]:
    """Returns who holds how many permits, against the limit of the builds that hold them."""
    held = [row for row in rows if row["state"] in HELD]
    found = []
    for kind, column, limit in (
        ("user", "payer_id", "concurrent_user"),
        ("project", "project_id", "concurrent_project"),
    ):
        counts = Counter(row[column] for row in held)
        limits = {row[column]: getattr(known[row["plan_slug"]], limit) for row in held}
        found += [
            {"kind": kind, "id": str(who), "held": count, "limit": limits[who]} for who, count in counts.most_common()
        ]
    return found


def _dead(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "build_id": str(row["build_id"]),
        "payer_id": row["payer_id"],
        "goal": row["goal"][:80],
        "crashes": row["crashes"],
        "dead_letter_time": row["dead_letter_time"],
    }
