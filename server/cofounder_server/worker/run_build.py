"""One attempt at one build: play it, append what happens, and stop at once when told or when the lease is lost."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar
from uuid import UUID, uuid4

import asyncpg
import structlog

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_control_pb2 import WarningRaised
from cofounder.runner.v1.event_lifecycle_pb2 import BuildFailed
from cofounder_server import db, errors, tasks
from cofounder_server.agent.runner import BuildOrder, BuildRunner, Caller, Park, ResumePoints, Stop
from cofounder_server.builds.change import LeaseLost, cancelled
from cofounder_server.builds.model import TERMINAL, Job, State
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.transitions import Attempt, Transitions
from cofounder_server.builds.watch import Watches
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.leases import Lease, Leases
from cofounder_server.worker.scrub import Scrubber
from cofounder_server.worker.writer import Writer

RETRY_SECONDS = 0.2

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What an attempt works with; one for all attempts of a worker."""

    pool: asyncpg.Pool
    transitions: Transitions
    resumes: ResumePoints
    builds: Builds
    queue: Queue
    watches: Watches
    commit: GroupCommit
    leases: Leases
    runner_of: Callable[[Job], BuildRunner]
    secrets: frozenset[str]


class CancelAsked(Exception):
    """Somebody asked the build to stop."""


class RunBuild:
    """Plays one attempt."""

    def __init__(self, desk: Desk, attempt: Attempt, lease: Lease) -> None:
        self._desk = desk
        self._attempt = attempt
        self._lease = lease
        self._scrubber = Scrubber(desk.secrets)
        self._log = log.bind(build_id=str(attempt.job.build_id), attempt=attempt.job.attempt)
        self._running = False
        self._stop = Stop()

    @property
    def build_id(self) -> UUID:
        return self._attempt.job.build_id

    async def play(self) -> None:
        """Plays the build to its end, or until it is parked.

        Cancelling the task stops the runner and writes nothing more: the caller hands the build back.

        Raises:
            LeaseLost: The lease ended or is another's; the runner is stopped, and nothing more was written.
        """
        writer = await self._open()
        try:
            terminal = await self._until_over(writer)
            await self._end(writer, terminal)
        except Park as parking:
            await self._park(writer, parking)
        finally:
            self._desk.commit.close(writer)

    async def _park(self, writer: Writer, parking: Park) -> None:
        await self._flush(writer)
        park, generation = self._desk.transitions.park, self._attempt.generation
        await retried(lambda: park(self.build_id, generation=generation, state=State.WAITING, until=parking.until))

    async def _open(self) -> Writer:
        _, folded = await self._desk.builds.get(self.build_id)
        job = self._attempt.job
        writer = Writer(job.build_id, generation=self._attempt.generation, attempt=job.attempt, folded=folded)
        self._desk.commit.open(writer)
        return writer

    async def _until_over(self, writer: Writer) -> BuildEvent:
        """Plays until the runner is done, a cancel comes or the lease goes; returns the terminal event."""
        playing = asyncio.create_task(self._play(writer), name=f"build {self.build_id}")
        others = [asyncio.create_task(self._await_command(writer)), asyncio.create_task(self._await_loss())]
        try:
            done, _ = await asyncio.wait([playing, *others], return_when=asyncio.FIRST_COMPLETED)
            # Before the runner is stopped: what is booked of its call depends on who stopped it.
            self._stop.asked = any(not t.cancelled() and isinstance(t.exception(), CancelAsked) for t in done)
            if playing not in done:
                await tasks.stop(playing)
            for task in done:
                task.result()
            return playing.result()
        except CancelAsked:
            job = await retried(lambda: self._desk.transitions.job(self.build_id))
            return cancelled(job.cancel_user_id or "", cause=job.cancel_sequence)
        finally:
            await tasks.stop(playing, *others)

    async def _play(self, writer: Writer) -> BuildEvent:
        """Appends what the runner says; returns its terminal event, not yet appended."""
        try:
            async with contextlib.aclosing(self._events()) as events:
                async for event in events:
                    if event.WhichOneof("kind") in TERMINAL:
                        return event
                    await self._append(writer, event)
        except errors.QuotaExceeded as fault:
            return await self._until_reset(writer, fault)
        except errors.CofounderError as fault:
            return BuildEvent(build_failed=BuildFailed(error=errors.to_status(fault)))
        except (LeaseLost, Park, asyncio.CancelledError):
            raise
        except Exception:
            return self._our_fault("the runner failed")
        return self._our_fault("the runner ended without a terminal event")

    async def _until_reset(self, writer: Writer, fault: errors.QuotaExceeded) -> NoReturn:
        """Has the build wait until a limit starts anew, or is raised: it holds nothing meanwhile, and loses nothing."""
        await self._append(writer, BuildEvent(warning_raised=WarningRaised(code=fault.quota, text=fault.text)))
        raise Park(fault.reset_time)

    def _events(self) -> AsyncGenerator[BuildEvent, None]:
        job = self._attempt.job
        caller = Caller(
            user_id=job.creator_id,
            payer_id=job.payer_id,
            project_id=str(job.project_id),
            build_id=str(job.build_id),
            attempt=job.attempt,
            generation=self._attempt.generation,
            plan_slug=job.plan_slug,
            budget_microdollars=job.budget_microdollars,
            stop=self._stop,
        )
        order = BuildOrder(goal=job.goal, rehearsal=job.rehearsal)
        return self._desk.runner_of(job).run(caller, order, self._attempt.after)

    def _our_fault(self, what: str) -> BuildEvent:
        debug_id = uuid4().hex
        self._log.exception(what, debug_id=debug_id)
        return BuildEvent(build_failed=BuildFailed(error=errors.to_status(errors.Internal(debug_id))))

    async def _append(self, writer: Writer, event: BuildEvent) -> None:
        if self._lease.lost:
            raise LeaseLost(f"the lease of {self.build_id} was lost")
        if event.HasField("stage_started") and not self._running:
            self._running = True
            mark, generation = self._desk.transitions.mark_running, self._attempt.generation
            await retried(lambda: mark(self.build_id, generation=generation))
        for scrubbed in self._scrubber.scrub(event):
            await writer.append(scrubbed)
            self._desk.commit.wake()

    async def _await_command(self, writer: Writer) -> None:
        """Raises CancelAsked or LeaseLost once that is so: looks whenever the log grew by another's hand."""

        def on_change(_: UUID) -> None:
            # What this writer appended itself is in its head before it is published.
            if tail.head > writer.head:
                writer.overtaken.set()

        async with self._desk.watches.listen(self.build_id, on_change) as tail:
            while True:
                job = await retried(lambda: self._desk.transitions.job(self.build_id))
                if job.generation != self._attempt.generation:
                    raise LeaseLost(f"build {self.build_id} was taken back")
                if job.cancel_user_id is not None:
                    raise CancelAsked
                await writer.overtaken.wait()
                writer.overtaken.clear()

    async def _await_loss(self) -> None:
        """Raises LeaseLost once the lease is lost."""
        await self._lease.gone.wait()
        raise LeaseLost(f"the lease of {self.build_id} could not be kept")

    async def _end(self, writer: Writer, terminal: BuildEvent) -> None:
        await self._flush(writer)
        [last] = self._scrubber.scrub(terminal)
        append_id = uuid4()
        await retried(
            lambda: self._desk.transitions.finish(
                self.build_id, generation=self._attempt.generation, append_id=append_id, events=[last]
            )
        )

    async def _flush(self, writer: Writer) -> None:
        for held_back in self._scrubber.flush():
            await writer.append(held_back)
            self._desk.commit.wake()
        await writer.flush()


async def retried(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Does `act`, which must be safe to repeat, until Postgres answers."""
    while True:
        try:
            return await act()
        except db.UNREACHABLE as fault:
            log.warning("Postgres away; a build waits for it", fault=type(fault).__name__)
            await asyncio.sleep(RETRY_SECONDS)
