"""Folds a build's events into the few figures that its view keeps on screen."""

import datetime
import time
from collections.abc import Callable

from cofounder_cli._gen.cofounder.runner import v1 as runner

STAGE_NAMES = {
    runner.Stage.ARCHITECT: "Architect",
    runner.Stage.CODER: "Coder",
    runner.Stage.EXECUTOR: "Executor",
    runner.Stage.DEBUGGER: "Debugger",
    runner.Stage.REVIEWER: "Reviewer",
    runner.Stage.GIT_MANAGER: "Git manager",
}


def stage_name(stage: runner.Stage) -> str:
    """Returns a stage's name for a person, also for one that is newer than this program."""
    return STAGE_NAMES.get(stage) or f"Stage {int(stage)}"


class Fold:
    """Stage, cost, tokens and running time as of the newest event.

    `build` is the build as the server last told it: where a watch starts in the middle of a log, the cost before that
    is taken from there, and events it already counts are not counted again.
    """

    def __init__(self, build: runner.Build, *, after: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.stage = build.stage
        self.waits = not after or build.state in (runner.BuildState.QUEUED, runner.BuildState.SCHEDULED)
        """True while the build waits in the queue, as far as its log tells."""
        self.iteration = 0
        self.cost_microdollars = build.cost_microdollars if after else 0
        self.tokens = 0
        self.sequence = after
        self._counted_through = build.last_sequence if after else 0
        self._monotonic = monotonic
        self._started = build.create_time
        self._now = build.create_time
        self._heard = monotonic()

    def take(self, event: runner.BuildEvent) -> None:
        """Counts one event."""
        self.sequence = event.sequence
        self.hear(event.create_time)
        if event.build_accepted is not None and event.build_accepted.origin is None:
            self._started = event.create_time or self._started
        if event.attempt_started is not None:
            self.waits = False
        if event.attempt_finished is not None:
            self.waits = event.attempt_finished.next_state == runner.BuildState.QUEUED
        if event.stage_started is not None:
            self.stage, self.iteration = event.stage_started.stage, event.stage_started.iteration
        if event.sequence > self._counted_through:
            self._count(event)

    def hear(self, server_time: datetime.datetime | None) -> None:
        """Sets the clock by the server's, never back; between two hearings it runs by itself."""
        if server_time is not None and (self._now is None or server_time > self._now):
            self._now = server_time
            self._heard = self._monotonic()

    @property
    def now(self) -> datetime.datetime | None:
        """The server's time as of now; None before it was ever heard."""
        return self._now and self._now + datetime.timedelta(seconds=self._monotonic() - self._heard)

    @property
    def elapsed(self) -> float:
        """Seconds since the build was accepted, as of now."""
        return self.elapsed_at_event + (self._monotonic() - self._heard)

    @property
    def elapsed_at_event(self) -> float:
        """Seconds from the acceptance to the newest event."""
        if self._started is None or self._now is None:
            return 0.0
        return max((self._now - self._started).total_seconds(), 0.0)

    def _count(self, event: runner.BuildEvent) -> None:
        if (usage := event.usage_recorded) is not None:
            self.cost_microdollars += 0 if usage.platform_borne else usage.cost_microdollars
            self.tokens += usage.input_tokens + usage.output_tokens + usage.cache_read_tokens
            self.tokens += usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if (credit := event.credit_recorded) is not None:
            self.cost_microdollars -= credit.amount_microdollars
