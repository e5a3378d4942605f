"""The sweeper: whatever a lost worker, a lost index or a lost wake-up left behind ends or runs again, and what waits
for a time joins the queue.

Any number of them may sweep at once: what is to be taken back is seized in Redis first, and one of them gets it.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import structlog
from redis.exceptions import RedisError

from cofounder_server import db, errors
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plans
from cofounder_server.builds import rebuild
from cofounder_server.builds.model import PARKED, State
from cofounder_server.builds.queue import Contents, Entry, IndexLost, Queue
from cofounder_server.builds.transitions import Transitions, entry_of
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")
workers = db.queries("cofounder_server.worker")
log = structlog.get_logger(__name__)

# How many builds are taken back at once.
AT_ONCE = 8

# A worker that was not seen for so long is no longer listed.
GONE = timedelta(hours=1)


class Sweeper:
    """Sweeps every `sweep_seconds`.

    Args:
        lease_seconds: A running build that the index does not know is left alone for so long: its worker may be about
            to end it, or to hand it back.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        transitions: Transitions,
        queue: Queue,
        clock: Clock,
        *,
        sweep_seconds: float,
        lease_seconds: float,
        max_crashes: int,
    ) -> None:
        self._pool = pool
        self._transitions = transitions
        self._queue = queue
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._lease_seconds = lease_seconds
        self._max_crashes = max_crashes
        self._owner = f"sweeper:{uuid4().hex}"
        self._plans: Plans | None = None
        # Running builds that the index does not know, with when that was first seen (monotonic seconds).
        self._missing: dict[UUID, float] = {}

    async def run(self) -> None:
        """Sweeps until cancelled. A peer that is away delays a sweep and nothing more."""
        while True:
            try:
                await self.sweep()
            except (*db.UNREACHABLE, RedisError, IndexLost) as fault:
                log.warning("sweep put off", fault=type(fault).__name__)
            await asyncio.sleep(self._sweep_seconds)

    async def sweep(self) -> None:
        """Looks once at every build that is not over, and at the index, which is made again if it was lost."""
        await self._enqueue_due()
        # The index is read before the builds: one that is added or claimed in between is then merely looked at late.
        contents = await self._queue.contents()
        if contents.built:
            await self._sweep_index(contents)
        else:
            await rebuild.rebuild(self._pool, self._queue)
        await self._pool.execute(workers.forget_workers, self._clock.now() - GONE)

    async def _sweep_index(self, contents: Contents) -> None:
        await self._reconsider_limits()
        alive = await self._pool.fetch(sql.list_alive)
        entries = {row["build_id"]: entry_of(row) for row in alive}
        await self._add_waiting(alive, contents)
        await self._take_back_all([(build_id, entries.get(build_id)) for build_id in self._lost(alive, contents)])
        for build_id in contents.waiting - entries.keys():
            await self._forget(build_id)

    async def _enqueue_due(self) -> None:
        for row in await self._pool.fetch(sql.list_due, self._clock.now()):
            job = await self._transitions.enqueue(row["build_id"])
            if job is not None:
                await self._queue.add(entry_of(job))

    async def _reconsider_limits(self) -> None:
        """Has all builds looked at anew if an operator changed a plan: a wider limit frees nobody by itself."""
        known, self._plans = self._plans, await plans.read(self._pool)
        if known is not None and known != self._plans:
            await self._queue.reconsider()

    async def _add_waiting(self, alive: Sequence[asyncpg.Record], contents: Contents) -> None:
        for row in alive:
            if row["state"] == State.QUEUED and not contents.knows(row["build_id"]):
                await self._queue.add(entry_of(row))

    def _lost(self, alive: Sequence[asyncpg.Record], contents: Contents) -> list[UUID]:
        """Returns the builds whose lease ran out, and those that have been missing for a lease's time."""
        now = time.monotonic()
        held = {row["build_id"] for row in alive if row["state"] != State.QUEUED}
        unknown = {build_id for build_id in held if build_id not in contents.holdings}
        self._missing = {build_id: self._missing.get(build_id, now) for build_id in unknown}
        long_missing = [build_id for build_id, since in self._missing.items() if now - since > self._lease_seconds]
        return [*contents.expired, *long_missing]

    async def _take_back_all(self, lost: Sequence[tuple[UUID, Entry | None]]) -> None:
        """Takes builds back side by side: one whose worker hangs in a transaction delays none of the others.

        Raises what the first of them failed with, once all are done.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def one(build_id: UUID, entry: Entry | None) -> None:
            async with room:
                await self._take_back(build_id, entry)

        for fault in await asyncio.gather(*(one(*each) for each in lost), return_exceptions=True):
            if fault is not None:
                raise fault

    async def _take_back(self, build_id: UUID, entry: Entry | None) -> None:
        if entry is None:
            # It was over before it was looked up: its worker was lost between its end and its lease's.
            await self._forget(build_id)
            return
        if not await self._queue.seize(entry, self._owner_of(build_id)):
            return
        job = await self._transitions.take_back(build_id, max_crashes=self._max_crashes)
        if job is None:
            await self._queue.release(build_id, self._owner_of(build_id))
            return
        log.warning("build taken back from a lost worker", build_id=str(build_id), crashes=job.crashes)
        await self._queue.give_back(build_id, self._owner_of(build_id), place=job.priority)

    def _owner_of(self, build_id: UUID) -> str:
        # An owner token is of one claim.
        return f"{self._owner}:{build_id}"

    async def _forget(self, build_id: UUID) -> None:
        """Takes a build out of the index that is over, parked or deleted by now."""
        try:
            state = (await self._transitions.job(build_id)).state
        except errors.NotFound:
            await self._queue.forget(build_id)
            return
        if state.over or state in PARKED:
            await self._queue.forget(build_id)
