"""The view of a build for a person: every event as it comes, and what is true just now below it."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TextIO

import betterproto2

from cofounder_cli import cells, ending, figures, waiting
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.fold import Fold, stage_name
from cofounder_cli.screen import BOLD, DIM, GREEN, RED, YELLOW, for_stream
from cofounder_cli.show_agent import Agent
from cofounder_cli.show_life import Life
from cofounder_cli.show_work import Work
from cofounder_cli.terminal import clean_line

_GOAL_COLUMNS = 240

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
        self._rehearsal = ending.rehearsal_of(build)
        self._waiting: runner.BuildView | None = None
        self._watchers = 0
        self._disconnected = False
        self._handlers: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self._fold = Fold(build, after=after)
        self._agent = Agent(self._screen, verbose=verbose, scripted=bool(self._rehearsal))
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
            self._waiting = None
            self._fold.take(event)
            kind, body = betterproto2.which_one_of(event, "kind")
            for handler in self._handlers.get(kind, ()):
                handler(body)
        if response.view is not None:
            self._see(response.view)
        self.tick()

    def tick(self) -> None:
        """Brings the live rows up to date; called at every response and once a second between them."""
        rows = [f"  {line}" for line in self._wait()] or self._work.live_rows()
        self._screen.show(rows, status=self._status())
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
            self._screen.line(self._rehearsal, style=YELLOW)
        self._screen.gap()
        self._screen.close()

    def _heading(self, build: runner.Build, after: int) -> None:
        self._screen.gap()
        self._screen.line(cells.cut(clean_line(build.goal), _GOAL_COLUMNS), style=BOLD, indent="")
        scenario = f" · scenario {clean_line(build.scenario)}" if build.scenario else ""
        since = f" · after event {after}" if after else ""
        self._screen.line(f"build {clean_line(build.build_id)}{scenario}{since}", style=DIM, indent="")
        if self._rehearsal:
            self._screen.line(self._rehearsal, style=YELLOW, indent="")

    def _see(self, view: runner.BuildView) -> None:
        self._fold.hear(view.read_time)
        self._watchers = view.watchers
        # One that was read before a worker took the build says nothing any more.
        before, self._waiting = self._waiting, view if view.queue is not None and self._fold.waits else None
        if not self._screen.is_live and self._waiting is not None and _reason_of(before) != _reason_of(view):
            self._screen.line(" · ".join(self._wait()), style=DIM)

    def _wait(self) -> list[str]:
        """Returns what is to be said of the wait in the queue; nothing if the build does not wait there."""
        view, now = self._waiting, self._fold.now
        if view is None or view.queue is None or view.read_time is None or now is None:
            return []
        return waiting.lines(view.queue, read_time=view.read_time, now=now)

    def _status(self) -> str:
        if self._disconnected:
            return "  reconnecting…"
        if self._waiting is not None:
            return f"  queued · {figures.clock(self._fold.elapsed)}"
        fold = self._fold
        parts = [stage_name(fold.stage) if fold.stage else "starting"]
        parts += [f"round {fold.iteration}"] if fold.iteration > 1 else []
        parts += [figures.clock(fold.elapsed)]
        parts += [self._life.waits_for or self._agent.activity]
        parts += [f"{figures.tokens(fold.tokens)} tokens"] if fold.tokens else []
        parts += [figures.money(fold.cost_microdollars)] if fold.cost_microdollars else []
        parts += [f"{self._watchers} watching"] if self._watchers > 1 else []
        return "  " + " · ".join(filter(None, parts))


def _reason_of(view: runner.BuildView | None) -> runner.QueuePositionReason | None:
    return view.queue.reason if view is not None and view.queue is not None else None
