"""Every change of a build's state, each one transaction together with the events that tell of it.

Lock order, always: the row of `builds`, then the head. The group commit takes heads only, and never waits for one.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_control_pb2 import CancelRequested
from cofounder_server import db, errors
from cofounder_server.builds.change import Change, cancelled
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import HELD, OVER, Head, Job, StageEnd, State
from cofounder_server.builds.queue import Entry
from cofounder_server.builds.read import stage_ends
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")

LOST, HANDED_BACK, UNPARKED = (
    lifecycle.ATTEMPT_REASON_WORKER_LOST,
    lifecycle.ATTEMPT_REASON_HANDED_BACK,
    lifecycle.ATTEMPT_REASON_UNPARKED,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A build in the hands of a worker."""

    job: Job
    generation: int
    # The sequence of its AttemptStarted.
    head: int
    # The end of a stage that it goes on from; None if it begins anew.
    after: StageEnd | None = None


def job_of(row: asyncpg.Record) -> Job:
    """Returns a row of `builds` as a job."""
    return Job(**{name: row[name] for name in Job.__slots__ if name != "state"}, state=State(row["state"]))


def entry_of(job: Job | asyncpg.Record) -> Entry:
    """Returns what the queue's index needs to know of a job, or of a row of `builds`."""
    row = {name: getattr(job, name) for name in Job.__slots__} if isinstance(job, Job) else job
    return Entry(row["build_id"], row["priority"], row["payer_id"], row["project_id"], row["plan_slug"])


def _kept(change: Change, after: StageEnd | None) -> int:
    """Returns through which sequence the log stands for an attempt: all of it for the first, which has nothing to void;
    but a fork has what it shares."""
    if after is not None:
        return after.sequence
    return change.head.head if not change.job.attempt and change.head.parent_id is None else 0


class Transitions:
    """Takes builds from state to state, and publishes what the log gained by it."""

    def __init__(self, pool: asyncpg.Pool, log: Log, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._log = log
        self._publisher = publisher
        self._clock = clock

    async def begin_attempt(
        self, build_id: UUID, *, worker_id: str, owner: str, after: StageEnd | None = None
    ) -> Attempt | None:
        """Raises the fence and appends AttemptStarted, in one transaction; None if the build is not to be taken up.

        Args:
            owner: The token of the caller's lease; kept, so that an emptied index can be made again.
            after: Where the worker could go on. The log decides: under the fence the end of the stage must still stand
                in it, else the attempt begins anew.
        """
        async with self._locked(build_id) as change:
            if change.job.state is not State.QUEUED:
                return None
            await change.raise_generation()
            await change.move(State.STARTING, sql.start_attempt, self._clock.now(), owner)
            if after is not None and after not in await stage_ends(change.connection, build_id):
                after = None
            started = lifecycle.AttemptStarted(
                worker_id=worker_id,
                reason=lifecycle.AttemptReason.Name(change.job.attempt_reason),
                kept_through_sequence=_kept(change, after),
            )
            await change.append(BuildEvent(attempt=change.job.attempt + 1, attempt_started=started))
        job = await self.job(build_id)
        return Attempt(job=job, generation=change.head.generation, head=change.head.head, after=after)

    async def mark_running(self, build_id: UUID, *, generation: int) -> None:
        """Says that the attempt began its first stage. The log says so by itself; an attempt that lost its lease
        changes nothing."""
        await self._pool.execute(sql.mark_running, build_id, generation)

    async def finish(self, build_id: UUID, *, generation: int, append_id: UUID, events: Sequence[BuildEvent]) -> None:
        """Appends a build's last events, the terminal one at the end, and ends it. Safe to repeat with its id.

        Raises:
            LeaseLost: The generation is not the build's, or somebody else ended it.
        """
        async with self._locked(build_id) as change:
            if await self._log.found(append_id) is not None:
                return
            change.demand(generation)
            await change.finish(*events, append_id=append_id)

    async def take_back(self, build_id: UUID, *, max_crashes: int) -> Job | None:
        """Ends or re-queues what a lost worker left; returns the job if it waits in the queue.

        The fence is raised first, so a worker that is not dead but slow can append nothing from here on. After
        `max_crashes` lost workers the build fails and lies among the dead letters.
        """
        async with self._locked(build_id) as change:
            job = change.job
            if job.state is State.QUEUED:
                return job
            if job.state not in HELD:
                return None
            await change.raise_generation()
            if job.cancel_user_id is None and job.crashes + 1 >= max_crashes:
                await change.bury(errors.WorkersLost(crashes=job.crashes + 1))
                return None
            if not await change.leave_worker(State.QUEUED, reason=LOST, crashes=1):
                return None
        return await self.job(build_id)

    async def hand_back(self, build_id: UUID, *, generation: int) -> bool:
        """Re-queues a build that its worker cannot go on with, without counting a crash.

        Returns False if it is over instead, because a cancel was asked for.

        Raises:
            LeaseLost: As in `finish`.
        """
        async with self._locked(build_id) as change:
            change.demand(generation)
            await change.raise_generation()
            return await change.leave_worker(State.QUEUED, reason=HANDED_BACK)

    async def park(self, build_id: UUID, *, generation: int, state: State, until: datetime | None = None) -> None:
        """Parks a build that a worker holds: it waits for an answer or a person, or until a time, holding nothing.

        Args:
            state: `WAITING` or `PAUSED`.
            until: When it joins the queue by itself; None: when somebody has it do so.

        Raises:
            LeaseLost: As in `finish`.
        """
        async with self._locked(build_id) as change:
            change.demand(generation)
            await change.raise_generation()
            await change.leave_worker(state, reason=UNPARKED, until=until)

    async def enqueue(self, build_id: UUID) -> Job | None:
        """Puts a build whose time has come into the queue; None if it is not (any more) to be put there."""
        async with self._locked(build_id) as change:
            if change.job.start_after is None or change.job.start_after > self._clock.now():
                return None
            await change.enqueue()
        return await self.job(build_id)

    async def requeue(self, build_id: UUID) -> Job:
        """Puts a build that a worker holds, or that waits for a time, back into the queue now: an operator asked for
        it. Nothing counts as a crash; a worker that still plays it can append nothing from here on.

        Raises:
            NotFound: There is no such build.
            WrongState: It is over, waits in the queue already, or waits for a person.
        """
        async with self._locked(build_id) as change:
            job = change.job
            if job.state in HELD:
                await change.raise_generation()
                await change.leave_worker(State.QUEUED, reason=HANDED_BACK)
            elif job.start_after is not None:
                await change.enqueue()
            else:
                needed = "in a worker's hands or waiting for a time"
                raise errors.WrongState(build_id=str(build_id), state=job.state, needed=needed)
        return await self.job(build_id)

    async def cancel(self, build_id: UUID, *, user_id: str) -> int:
        """Asks a build to stop, durably; one that no worker holds is over at once. Returns the sequence at which
        that took effect, or the newest if it changed nothing.

        Raises:
            NotFound: There is no such build.
        """
        async with self._locked(build_id) as change:
            if change.job.state in OVER:
                return change.head.head
            if change.job.cancel_sequence is not None:
                return change.job.cancel_sequence
            await change.append(BuildEvent(cancel_requested=CancelRequested(user_id=user_id)))
            sequence = change.head.head
            await change.connection.execute(sql.request_cancel, build_id, user_id, sequence)
            if change.job.state not in HELD:
                await change.raise_generation()
                await change.finish(cancelled(user_id, cause=sequence))
            if change.job.attempt == 0 and change.job.state not in HELD:
                await change.connection.execute(sql.uncount_build, build_id)
        return sequence

    async def job(self, build_id: UUID) -> Job:
        """Returns a build as a job. Raises NotFound."""
        row = await self._pool.fetchrow(sql.read_build, build_id)
        if row is None:
            raise errors.NotFound("build", str(build_id))
        return job_of(row)

    @contextlib.asynccontextmanager
    async def _locked(self, build_id: UUID) -> "AsyncIterator[Change]":
        """Gives a transaction that holds the build's row and head; after its commit, publishes what it appended."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(sql.lock_build, build_id)
            if row is None:
                raise errors.NotFound("build", str(build_id))
            head = Head(**await connection.fetchrow(sql.lock_head, build_id))
            change = Change(connection, self._log, self._clock, job_of(row), head)
            yield change
        if change.stretches:
            await self._publisher.publish(change.stretches)
