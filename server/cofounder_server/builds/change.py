"""One build's row and head, locked in a transaction: what may be done with them there, and nowhere else."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder_server import db, errors
from cofounder_server.builds import framing
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import TERMINAL, Batch, Head, Job, State, Stretch
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")


class LeaseLost(Exception):
    """The caller's generation is no longer the build's: another holds it, or it is over. It may append nothing."""


class Change:
    """One build's row and head, locked, and what the transaction appends."""

    def __init__(self, connection: db.Connection, log: Log, clock: Clock, job: Job, head: Head) -> None:
        self.connection = connection
        self.job = job
        self.head = head
        self.stretches: list[Stretch] = []
        self._log = log
        self._clock = clock

    def demand(self, generation: int) -> None:
        """Raises LeaseLost unless the build is held under `generation`."""
        if self.head.generation != generation or self.head.sealed:
            raise LeaseLost(f"build {self.job.build_id} is not held under generation {generation}")

    async def move(self, state: State, query: str, *arguments: object) -> None:
        """Takes the build into another state, by a query that sets it. The only place where that is done.

        Raises:
            RuntimeError: The state machine knows no such transition: our fault.
        """
        if not self.job.state.may_become(state):
            raise RuntimeError(f"build {self.job.build_id} was to go from {self.job.state} to {state}")
        await self.connection.execute(query, self.job.build_id, *arguments)

    async def leave_worker(
        self, state: State, *, reason: "lifecycle.AttemptReason", crashes: int = 0, until: datetime | None = None
    ) -> bool:
        """Has the worker's attempt end in a state that is not the build's last. The fence must be raised already.

        Returns False if the build is over instead: a cancel was asked for, and its worker did not come to it.
        """
        if self.job.cancel_user_id is not None:
            await self.finish(cancelled(self.job.cancel_user_id, cause=self.job.cancel_sequence))
            return False
        await self.move(state, sql.leave_worker, state, crashes, until, reason)
        finished = lifecycle.AttemptFinished(next_state=state.wire)
        if until is not None:
            finished.start_after_time.FromDatetime(until)
        await self.append(BuildEvent(attempt_finished=finished))
        return True

    async def enqueue(self) -> None:
        """Puts a build that waits for a time into the queue."""
        cause = lifecycle.BuildQueued.CAUSE_DELAY
        if self.job.state is State.SCHEDULED:
            cause = lifecycle.BuildQueued.CAUSE_SCHEDULE
        await self.move(State.QUEUED, sql.enqueue_build)
        await self.append(BuildEvent(build_queued=lifecycle.BuildQueued(cause=cause)))

    async def bury(self, fault: errors.BuildError) -> None:
        """Ends the build in failure and lays it among the dead letters."""
        await self.finish(BuildEvent(build_failed=lifecycle.BuildFailed(error=errors.to_status(fault))))
        await self.connection.execute(sql.bury_build, self.job.build_id, self._clock.now())

    async def raise_generation(self) -> None:
        """Raises the fence: whoever held the build may append nothing more."""
        row = await self.connection.fetchrow(sql.raise_generation, self.job.build_id)
        self.head = replace(self.head, **row)

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
        self.head = replace(self.head, head=outcome.head, sealed=seals)
        self.stretches.append(Stretch(self.job.build_id, before, outcome.head, body, seals))

    async def finish(self, *events: BuildEvent, append_id: UUID | None = None) -> None:
        """Appends events of which the last is terminal, and puts the build into the state it leads to."""
        await self.append(*events, append_id=append_id)
        state = TERMINAL[events[-1].WhichOneof("kind") or ""]
        await self.move(state, sql.finish_build, state, self._clock.now())


def cancelled(user_id: str, *, cause: int | None) -> BuildEvent:
    return BuildEvent(build_cancelled=lifecycle.BuildCancelled(user_id=user_id), cause_sequence=cause or 0)
