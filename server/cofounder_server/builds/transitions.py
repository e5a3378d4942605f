"""Every change of a build's state, each one transaction together with the events that tell of it.

Lock order, always: the row of `builds`, then the head. The group commit takes heads only, and never waits for one.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_control_pb2 import CancelRequested
from cofounder_server import db, errors
from cofounder_server.builds import framing
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import OVER, TERMINAL, Batch, Head, Job, State, Stretch
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")

# Where a worker may take a build up.
CLAIMABLE = frozenset({State.QUEUED, State.STARTING, State.RUNNING})


class LeaseLost(Exception):
    """The caller's generation is no longer the build's: another holds it, or it is over. It may append nothing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A build in the hands of a worker."""

    job: Job
    generation: int
    # The sequence of its AttemptStarted.
    head: int


def job_of(row: asyncpg.Record) -> Job:
    """Returns a row of `builds` as a job."""
    return Job(**{name: row[name] for name in Job.__slots__ if name != "state"}, state=State(row["state"]))


class Transitions:
    """Takes builds from state to state, and publishes what the log gained by it."""

    def __init__(self, pool: asyncpg.Pool, log: Log, publisher: Publisher, clock: Clock) -> None:
        self._pool = pool
        self._log = log
        self._publisher = publisher
        self._clock = clock

    async def begin_attempt(self, build_id: UUID, *, worker_id: str) -> Attempt | None:
        """Raises the fence and appends AttemptStarted, in one transaction; None if the build is not to be taken up."""
        async with self._locked(build_id) as change:
            if change.job.state not in CLAIMABLE:
                return None
            await change.raise_generation()
            if change.job.cancel_user_id is not None:
                await change.finish(cancelled(change.job.cancel_user_id, cause=change.job.cancel_sequence))
                return None
            lost = lifecycle.ATTEMPT_REASON_WORKER_LOST if change.job.attempt else lifecycle.ATTEMPT_REASON_UNSPECIFIED
            await change.connection.execute(sql.start_attempt, build_id, self._clock.now())
            started = lifecycle.AttemptStarted(
                worker_id=worker_id, reason=lost, kept_through_sequence=0 if change.job.attempt else change.head.head
            )
            await change.append(BuildEvent(attempt=change.job.attempt + 1, attempt_started=started))
        return Attempt(job=await self.job(build_id), generation=change.head.generation, head=change.head.head)

    async def finish(self, build_id: UUID, *, generation: int, append_id: UUID, events: Sequence[BuildEvent]) -> None:
        """Appends a build's last events, the terminal one at the end, and ends it. Safe to repeat with its id.

        Raises:
            LeaseLost: The generation is not the build's, or somebody else ended it.
        """
        async with self._locked(build_id) as change:
            if await self._log.found(append_id) is not None:
                return
            if change.head.generation != generation or change.head.sealed:
                raise LeaseLost(f"build {build_id} is not held under generation {generation}")
            await change.finish(*events, append_id=append_id)

    async def take_back(self, build_id: UUID, *, max_crashes: int) -> Job | None:
        """Ends or re-queues what a lost worker left; returns the job if it is to be queued.

        The fence is raised first, so a worker that is not dead but slow can append nothing from here on.
        """
        async with self._locked(build_id) as change:
            if change.job.state not in CLAIMABLE:
                return None
            if change.job.state is State.QUEUED:
                return change.job
            await change.raise_generation()
            crashes = change.job.crashes + 1
            await change.connection.execute(sql.requeue_build, build_id, 1)
            if change.job.cancel_user_id is not None:
                await change.finish(cancelled(change.job.cancel_user_id, cause=change.job.cancel_sequence))
                return None
            if crashes >= max_crashes:
                status = errors.to_status(errors.WorkersLost(crashes=crashes))
                await change.finish(BuildEvent(build_failed=lifecycle.BuildFailed(error=status)))
                return None
            await change.append(let_go(State.QUEUED))
        return await self.job(build_id)

    async def hand_back(self, build_id: UUID, *, generation: int) -> None:
        """Re-queues a build that its worker cannot go on with, without counting a crash.

        Raises:
            LeaseLost: As in `finish`.
        """
        async with self._locked(build_id) as change:
            if change.head.generation != generation or change.head.sealed:
                raise LeaseLost(f"build {build_id} is not held under generation {generation}")
            await change.raise_generation()
            await change.connection.execute(sql.requeue_build, build_id, 0)
            await change.append(let_go(State.QUEUED))

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
            if change.job.state not in (State.STARTING, State.RUNNING):
                await change.raise_generation()
                await change.finish(cancelled(user_id, cause=sequence))
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


class Change:
    """One build's row and head, locked, and what the transaction appends."""

    def __init__(self, connection: db.Connection, log: Log, clock: Clock, job: Job, head: Head) -> None:
        self.connection = connection
        self.job = job
        self.head = head
        self.stretches: list[Stretch] = []
        self._log = log
        self._clock = clock

    async def raise_generation(self) -> None:
        """Raises the fence: whoever held the build may append nothing more."""
        row = await self.connection.fetchrow(sql.raise_generation, self.job.build_id)
        self.head = Head(row["head"], self.head.oldest, row["generation"], row["sealed"])

    async def append(self, *events: BuildEvent, append_id: UUID | None = None) -> None:
        """Appends events. The head is locked, so this cannot find another's in its way."""
        before, seals = self.head.head, events[-1].WhichOneof("kind") in TERMINAL
        for event in events:
            event.attempt = event.attempt or self.job.attempt
        body = framing.encode(events, after=before, time=self._clock.now())
        batch = Batch(
            build_id=self.job.build_id,
            append_id=append_id or uuid4(),
            expected=before,
            count=len(events),
            body=body,
            seals=seals,
        )
        [outcome] = await self._log.append([batch], self.connection)
        if outcome.verdict != "ok":
            raise LeaseLost(f"build {self.job.build_id} takes no more events: {outcome.verdict}")
        self.head = Head(outcome.head, self.head.oldest, self.head.generation, seals)
        self.stretches.append(Stretch(self.job.build_id, before, outcome.head, body, seals))

    async def finish(self, *events: BuildEvent, append_id: UUID | None = None) -> None:
        """Appends events of which the last is terminal, and puts the build into the state it leads to."""
        await self.append(*events, append_id=append_id)
        state = TERMINAL[events[-1].WhichOneof("kind") or ""]
        await self.connection.execute(sql.finish_build, self.job.build_id, state, self._clock.now())


def cancelled(user_id: str, *, cause: int | None) -> BuildEvent:
    return BuildEvent(build_cancelled=lifecycle.BuildCancelled(user_id=user_id), cause_sequence=cause or 0)


def let_go(next_state: State) -> BuildEvent:
    return BuildEvent(attempt_finished=lifecycle.AttemptFinished(next_state=next_state.wire))
