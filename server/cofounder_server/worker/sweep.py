"""The sweeper: whatever a lost worker, a lost index or a lost wake-up left behind ends or runs again.

Any number of them may sweep at once: what is to be taken back is seized in Redis first, and one of them gets it.
"""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
import structlog
from redis.exceptions import RedisError

from cofounder_server import db
from cofounder_server.builds.model import State
from cofounder_server.builds.queue import Contents, Queue
from cofounder_server.builds.transitions import Transitions

sql = db.queries("cofounder_server.builds")
log = structlog.get_logger(__name__)


class Sweeper:
    """Sweeps every `sweep_seconds`.

    Args:
        lease_seconds: A running build that the index does not know is left alone for so long: the index may have
            been emptied, and its worker then makes its lease again.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        transitions: Transitions,
        queue: Queue,
        *,
        sweep_seconds: float,
        lease_seconds: float,
        max_crashes: int,
    ) -> None:
        self._pool = pool
        self._transitions = transitions
        self._queue = queue
        self._sweep_seconds = sweep_seconds
        self._lease_seconds = lease_seconds
        self._max_crashes = max_crashes
        self._owner = f"sweeper:{uuid4().hex}"
        # Running builds that the index does not know, with when that was first seen (monotonic seconds).
        self._missing: dict[UUID, float] = {}

    async def run(self) -> None:
        """Sweeps until cancelled. A peer that is away delays a sweep and nothing more."""
        while True:
            try:
                await self.sweep()
            except (*db.UNREACHABLE, RedisError) as fault:
                log.warning("sweep put off", fault=type(fault).__name__)
            await asyncio.sleep(self._sweep_seconds)

    async def sweep(self) -> None:
        """Looks once at every build that is not over, and at the index."""
        # The index is read before the builds: one that is added or claimed in between is then merely looked at late.
        contents = await self._queue.contents()
        alive = await self._pool.fetch(sql.list_alive)
        await self._add_waiting(alive, contents)
        for build_id in self._lost(alive, contents):
            await self._take_back(build_id)
        over = contents.ready - {row["build_id"] for row in alive}
        for build_id in over:
            await self._forget(build_id)

    async def _add_waiting(self, alive: Sequence[asyncpg.Record], contents: Contents) -> None:
        for row in alive:
            if row["state"] == State.QUEUED and not contents.knows(row["build_id"]):
                await self._queue.add(row["build_id"], priority=row["priority"])

    def _lost(self, alive: Sequence[asyncpg.Record], contents: Contents) -> list[UUID]:
        """Returns the builds whose lease ran out, and those that have been missing for a lease's time."""
        now = time.monotonic()
        unknown = {row["build_id"] for row in alive if row["state"] != State.QUEUED} - contents.ready - contents.held
        unknown -= contents.expired
        self._missing = {build_id: self._missing.get(build_id, now) for build_id in unknown}
        long_missing = [build_id for build_id, since in self._missing.items() if now - since > self._lease_seconds]
        return [*contents.expired, *long_missing]

    async def _take_back(self, build_id: UUID) -> None:
        if not await self._queue.seize(build_id, self._owner):
            return
        job = await self._transitions.take_back(build_id, max_crashes=self._max_crashes)
        if job is None:
            await self._queue.forget(build_id)
            return
        log.warning("build taken back from a lost worker", build_id=str(build_id), crashes=job.crashes)
        await self._queue.give_back(build_id, self._owner, priority=job.priority)

    async def _forget(self, build_id: UUID) -> None:
        """Takes a build out of the index that is over by now: added late, or ended while it waited."""
        if (await self._transitions.job(build_id)).state.over:
            await self._queue.forget(build_id)
