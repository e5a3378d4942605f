"""The view of a build for a person: every event as it comes, and what is true just now below it."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TextIO

import betterproto2

from cofounder_cli import cells, ending, figures
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.fold import Fold, stage_name
from cofounder_cli.screen import BOLD, DIM, GREEN, RED, YELLOW, for_stream
from cofounder_cli.show_agent import Agent
from cofounder_cli.show_life import Life
from cofounder_cli.show_work import Work
from cofounder_cli.terminal import clean_line

_GOAL_COLUMNS = 240

_QUEUE_REASONS = {
    runner.QueuePositionReason.NEXT: "about to start",
    runner.QueuePositionReason.USER_LIMIT: "your other builds take the plan's places",
    runner.QueuePositionReason.PROJECT_LIMIT: "the project's other builds take its places",
    runner.QueuePositionReason.SYSTEM: "all workers are busy",
    runner.QueuePositionReason.DAY_LIMIT: "the plan's builds of today are spent",
}
_OUTCOME_MARKS = {
    runner.BuildState.SUCCEEDED: ("✓", GREEN),
    runner.BuildState.PARTIAL: ("◐", YELLOW),
    runner.BuildState.FAILED: ("✗", RED),
    runner.BuildState.CANCELLED: ("■", YELLOW),
}


class View:
    """Shows one build on one screen.

    Nothing that a model, a file or a command says reaches the terminal uncleaned, and every event is drawn in the order
    of the log. `verbose` shows all text of files, commands and thinking. Reconnects are said on `err`.
    """

    def __init__(
        self, build: runner.Build, *, after: int, out: TextIO, err: TextIO, verbose: bool = False
    ) -> None:  # fmt: skip
        """Begins with what is known of `build`; its log follows after sequence `after`."""
        self._screen = for_stream(out)
        self._err = err
        self._rehearsal = build.rehearsal
        self._queue: runner.QueuePosition | None = None
        self._watchers = 0
        self._disconnected = False
        self._handlers: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self._fold = Fold(build, after=after)
        self._agent = Agent(self._screen, verbose=verbose)
        self._work = Work(self._screen, verbose=verbose)
        self._life = Life(self._screen, self._fold)
        for part in (self._life, self._agent, self._work):
            for kind, handler in part.handlers().items():
                self._handlers[kind].append(handler)
        self._heading(build, after)
        self._screen.paint()

    def take(self, response: runner.WatchBuildResponse) -> None:
        """Draws one response of the watch."""
        self._disconnected = False
        for event in response.events:
            self._queue = None
            self._fold.take(event)
            kind, body = betterproto2.which_one_of(event, "kind")
            for handler in self._handlers.get(kind, ()):
                handler(body)
        if response.view is not None:
            self._see(response.view)
        self.tick()

    def tick(self) -> None:
        """Brings the live rows up to date; called at every response and once a second between them."""
        self._screen.show(self._work.live_rows(), status=self._status())
        self._screen.paint()

    def notice(self, text: str) -> None:
        """Says something about the connection: in the status where one is drawn, else as a line on `err`."""
        self._disconnected = text.endswith("…")
        self.tick()
        if not (self._screen.is_live and self._err.isatty()):
            self._err.write(f"{text}\n")
            self._err.flush()

    def leave(self) -> None:
        """Takes the live rows away; what was written stays."""
        self._screen.close()

    def close(self, end: ending.Ending) -> None:
        """Ends with how the build ended."""
        mark, style = _OUTCOME_MARKS.get(end.state, ("■", DIM))
        self._screen.gap()
        self._screen.line(end.headline, style=BOLD, mark=mark, mark_style=style, indent="")
        for detail in end.details:
            self._screen.line(detail)
        self._screen.gap()
        for name, value in end.facts:
            self._screen.line(f"{name:<11} {value}", overflow="leave")
        if self._rehearsal:
            self._screen.gap()
            self._screen.line(ending.REHEARSAL, style=YELLOW)
        self._screen.gap()
        self._screen.close()

    def _heading(self, build: runner.Build, after: int) -> None:
        self._screen.gap()
        self._screen.line(cells.cut(clean_line(build.goal), _GOAL_COLUMNS), style=BOLD, indent="")
        scenario = f" · scenario {clean_line(build.scenario)}" if build.scenario else ""
        since = f" · after event {after}" if after else ""
        self._screen.line(f"build {clean_line(build.build_id)}{scenario}{since}", style=DIM, indent="")
        if self._rehearsal:
            self._screen.line(ending.REHEARSAL, style=YELLOW, indent="")

    def _see(self, view: runner.BuildView) -> None:
        self._fold.hear(view.read_time)
        self._watchers = view.watchers
        before, self._queue = self._queue, view.queue
        if (
            self._queue is not None
            and not self._screen.is_live
            and (before is None or before.reason != self._queue.reason)
        ):
            self._screen.line(self._queued(self._queue), style=DIM)

    def _status(self) -> str:
        if self._disconnected:
            return "  reconnecting…"
        if self._queue is not None:
            return f"  {self._queued(self._queue)}"
        fold = self._fold
        parts = [stage_name(fold.stage) if fold.stage else "starting"]
        parts += [f"round {fold.iteration}"] if fold.iteration > 1 else []
        parts += [figures.clock(fold.elapsed)]
        parts += [self._life.waits_for or self._agent.activity]
        parts += [f"{figures.tokens(fold.tokens)} tokens"] if fold.tokens else []
        parts += [figures.money(fold.cost_microdollars)] if fold.cost_microdollars else []
        parts += [f"{self._watchers} watching"] if self._watchers > 1 else []
        return "  " + " · ".join(filter(None, parts))

    def _queued(self, queue: runner.QueuePosition) -> str:
        parts = ["queued"]
        parts += [f"{figures.ordinal(queue.position)} in line"] if queue.position else []
        parts += [_QUEUE_REASONS.get(queue.reason, "")]
        if queue.start_after_time is not None:
            parts += [f"not before {queue.start_after_time:%Y-%m-%d %H:%M} UTC"]
        elif queue.eta is not None:
            parts += [f"about {figures.elapsed(queue.eta.total_seconds())}"]
        return " · ".join(filter(None, parts))
