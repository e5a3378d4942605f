"""Forks: a build that goes on from a finished stage of another, and shares its log up to there.

The shared events are not copied: the fork's head names its parent, and `Log.read` reads there first. Sequences go on;
cost begins at zero.
"""

from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import asyncpg

from cofounder.runner.v1.build_pb2 import BuildOrigin
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import db, errors
from cofounder_server.billing import plans
from cofounder_server.builds import fold, framing, start
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Job, Stretch
from cofounder_server.builds.queue import Entry, Queue
from cofounder_server.builds.start import Order
from cofounder_server.builds.transitions import job_of
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")


class Forks:
    """Makes forks."""

    def __init__(self, pool: asyncpg.Pool, log: Log, publisher: Publisher, queue: Queue, clock: Clock) -> None:
        self._pool = pool
        self._log = log
        self._publisher = publisher
        self._queue = queue
        self._clock = clock

    async def replay(self, build_id: UUID) -> tuple[UUID, int]:
        """Has a build from the dead letters go on as a fork; returns the fork, and the sequence it left its parent at.

        It costs none of the day's builds: what failed was ours. Replayed twice, it is one fork.

        Raises:
            NotFound: There is no such build.
            WrongState: It does not lie among the dead letters.
        """
        parent = await self._job(build_id)
        order = _order(parent, request_id=uuid5(NAMESPACE_OID, f"replay of {build_id}"))
        if parent.dead_letter_time is None and not await start.known_as(self._pool, order):
            raise errors.WrongState(build_id=str(build_id), state=parent.state, needed="among the dead letters")
        return await self.fork(parent, request_id=order.request_id)

    async def fork(self, parent: Job, *, request_id: UUID, at_sequence: int = 0) -> tuple[UUID, int]:
        """Makes a fork that begins at the last finished stage at or before `at_sequence` (0: the log's end).

        Returns the fork and the last sequence it shares. The same request id again returns the same fork.

        Raises:
            RequestIdReused: The request id came with something else.
        """
        order = _order(parent, request_id=request_id, at_sequence=at_sequence)
        if known := await self._known(order):
            return known
        through, folded = await self._leave(parent.build_id, at_sequence)
        async with self._pool.acquire() as connection, connection.transaction():
            begun = await self._begin(connection, order, parent, through, folded)
        if begun is None:
            known = await self._known(order)
            assert known is not None, "a conflicting row is gone, and builds are never deleted while they start"
            return known
        entry, stretch = begun
        await start.announce(self._queue, self._publisher, entry, stretch)
        return entry.build_id, through

    async def _job(self, build_id: UUID) -> Job:
        row = await self._pool.fetchrow(sql.read_build, build_id)
        if row is None:
            raise errors.NotFound("build", str(build_id))
        return job_of(row)

    async def _known(self, order: Order) -> tuple[UUID, int] | None:
        fork_id = await start.known_as(self._pool, order)
        head = await self._log.head(fork_id) if fork_id else None
        return (fork_id, head.parent_through) if fork_id and head else None

    async def _leave(self, build_id: UUID, at_sequence: int) -> tuple[int, BuildSnapshot]:
        """Returns where a fork leaves its parent, and the fold of what they share."""
        finished, cursor, events = [1], 0, []
        while (stretch := await self._log.read(build_id, after=cursor)).body:
            for event in WatchBuildResponse.FromString(stretch.body).events:
                if at_sequence and event.sequence > at_sequence:
                    break
                events.append(event)
                if event.HasField("attempt_started"):
                    kept = event.attempt_started.kept_through_sequence
                    finished = [sequence for sequence in finished if sequence <= max(kept, 1)]
                elif event.HasField("stage_finished"):
                    finished.append(event.sequence)
            cursor = stretch.last
            if stretch.over or (at_sequence and cursor >= at_sequence):
                break
        through = finished[-1]
        return through, fold.fold(event for event in events if event.sequence <= through)

    async def _begin(
        self, connection: db.Connection, order: Order, parent: Job, through: int, folded: BuildSnapshot
    ) -> tuple[Entry, Stretch] | None:
        """Gives the fork its row, its head, the fold of what it shares, and its first event of its own; None if the
        request id was seen meanwhile."""
        now = self._clock.now()
        place = start.place_of(now, (await plans.read(connection))[parent.plan_slug])
        entry = Entry(uuid7(now), place, parent.payer_id, parent.project_id, parent.plan_slug)
        fork_id, rehearsal = entry.build_id, parent.rehearsal
        if not await start.write_down(connection, fork_id, order, rehearsal=rehearsal, place=place, now=now):
            return None
        await connection.execute(sql.create_fork_head, entry.build_id, parent.build_id, through)
        await connection.execute(sql.store_snapshot, entry.build_id, through, folded.SerializeToString())
        await connection.execute(sql.exhume_build, parent.build_id)
        origin = BuildOrigin(build_id=str(parent.build_id), sequence=through)
        accepted = start.accepted_event(order, rehearsal=parent.rehearsal, origin=origin)
        body = framing.encode([accepted], after=through, time=now)
        batch = Batch(build_id=entry.build_id, append_id=uuid4(), expected=through, count=1, body=body)
        await self._log.append([batch], connection)
        return entry, Stretch(entry.build_id, through, through + 1, body, over=False)


def _order(parent: Job, *, request_id: UUID, at_sequence: int = 0) -> Order:
    """Returns what a fork is asked for: the same as its parent was."""
    return Order(
        creator_id=parent.creator_id,
        project_id=parent.project_id,
        payer_id=parent.payer_id,
        plan_slug=parent.plan_slug,
        goal=parent.goal,
        request_id=request_id,
        scenario=parent.scenario,
        budget_microdollars=parent.budget_microdollars,
        fork_of=(parent.build_id, at_sequence),
    )
