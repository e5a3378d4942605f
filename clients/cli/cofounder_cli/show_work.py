"""Shows what a build does to its workspace: files as they are written, commands with the end of their output, tests."""

import shlex
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from cofounder_cli import figures
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.screen import DIM, GREEN, RED, YELLOW, Screen
from cofounder_cli.terminal import Sanitizer, clean_line

TAIL_LINES = 8
"""Lines of a command's output that stay on screen."""
LIVE_TAIL_LINES = 3
_LONGEST_LINE = 400
_FAILURE_LINES = 3
_INDENT = "    "

_ENDINGS = {
    runner.CommandFinishedReason.WALL_CLOCK: "stopped: it ran too long",
    runner.CommandFinishedReason.OUTPUT_LIMIT: "stopped: it wrote too much",
    runner.CommandFinishedReason.MEMORY: "stopped: it took too much memory",
    runner.CommandFinishedReason.KILLED: "stopped with its build",
}


class _Draft:
    """A file that is being written."""

    def __init__(self, generation_id: str) -> None:
        self.generation_id = generation_id
        self.sanitizer = Sanitizer()
        self.newlines = 0
        self.ends_open = False

    def feed(self, text: str) -> None:
        self.newlines += text.count("\n")
        self.ends_open = not text.endswith("\n") if text else self.ends_open

    @property
    def lines(self) -> int:
        return self.newlines + self.ends_open


class _Output:
    """The end of what a command writes, and how much there was."""

    def __init__(self) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.lines = 0
        self._rest = ""
        self._sanitizers: dict[int, Sanitizer] = {}

    def feed(self, channel: int, text: str) -> str:
        clean = self._sanitizers.setdefault(channel, Sanitizer()).feed(text)
        *ended, rest = (self._rest + clean).split("\n")
        self._rest = rest[:_LONGEST_LINE]
        for line in ended:
            self._add(line)
        return clean

    def end(self) -> None:
        if self._rest:
            self._add(self._rest)
            self._rest = ""

    def newest(self, count: int) -> list[str]:
        return [*self.tail, *filter(None, [self._rest])][-count:]

    def _add(self, line: str) -> None:
        self.tail.append(line[:_LONGEST_LINE].expandtabs(4))
        self.lines += 1


class Work:
    """Writes file, command, test and commit events. `verbose` shows all text of files and commands as it comes."""

    def __init__(self, screen: Screen, *, verbose: bool) -> None:
        self._screen = screen
        self._verbose = verbose
        self._drafts: dict[str, _Draft] = {}
        self._outputs: dict[str, _Output] = {}

    def handlers(self) -> Mapping[str, Callable[[Any], None]]:
        """Returns what to call for the body of each kind."""
        return {
            "file_opened": self._file_opened,
            "file_delta": self._file_delta,
            "file_written": self._file_written,
            "file_deleted": self._file_deleted,
            "command_started": self._command_started,
            "command_output": self._command_output,
            "command_finished": self._command_finished,
            "test_reported": self._test_reported,
            "commit_created": self._commit_created,
            "commit_pushed": self._commit_pushed,
            "generation_voided": self._generation_voided,
            "attempt_started": lambda _: self._drafts.clear(),
        }

    def live_rows(self) -> list[str]:
        """Returns what is under way: files being written and the newest output of commands."""
        rows = [
            f"  writing {figures.count(draft.lines, 'line')} · {clean_line(path)}"
            for path, draft in self._drafts.items()
        ]
        for output in self._outputs.values():
            rows.extend(_INDENT + line for line in output.newest(LIVE_TAIL_LINES))
        return rows[-4:] if not self._verbose else []

    def _file_opened(self, body: runner.FileOpened) -> None:
        self._drafts[body.path] = _Draft(body.generation_id)
        if self._verbose:
            self._screen.gap()
            self._screen.line(clean_line(body.path), style=DIM)

    def _file_delta(self, body: runner.FileDelta) -> None:
        draft = self._drafts.setdefault(body.path, _Draft(""))
        draft.feed(body.text)
        if self._verbose:
            self._screen.text(f"file {body.path}", draft.sanitizer.feed(body.text), style=DIM, indent="  │ ")

    def _file_written(self, body: runner.FileWritten) -> None:
        draft = self._drafts.pop(body.path, None)
        modified = body.change == runner.FileChange.MODIFIED
        mark, style = ("~", YELLOW) if modified else ("+", GREEN)
        lines = [figures.count(draft.lines, "line")] if draft is not None else []
        note = " · ".join((*lines, figures.size(body.size_bytes)))
        self._screen.line(clean_line(body.path), mark=mark, mark_style=style, note=note)

    def _file_deleted(self, body: runner.FileDeleted) -> None:
        self._drafts.pop(body.path, None)
        self._screen.line(clean_line(body.path), mark="-", mark_style=RED)

    def _generation_voided(self, body: runner.GenerationVoided) -> None:
        self._drafts = {
            path: draft for path, draft in self._drafts.items() if draft.generation_id != body.generation_id
        }

    def _command_started(self, body: runner.CommandStarted) -> None:
        self._outputs[body.command_id] = _Output()
        self._screen.gap()
        self._screen.line(clean_line(shlex.join(body.argv)), mark="$", mark_style=DIM)
        if body.isolation == "none":
            self._screen.line("not isolated: only a scripted rehearsal may run so", style=YELLOW, indent=_INDENT)

    def _command_output(self, body: runner.CommandOutput) -> None:
        output = self._outputs.setdefault(body.command_id, _Output())
        text = output.feed(int(body.channel), body.text)
        if self._verbose:
            self._screen.text(f"output {body.command_id}", text, style=DIM, indent=_INDENT)

    def _command_finished(self, body: runner.CommandFinished) -> None:
        output = self._outputs.pop(body.command_id, None) or _Output()
        output.end()
        if not self._verbose:
            self._write_tail(output)
        seconds = body.elapsed.total_seconds() if body.elapsed is not None else 0.0
        words = _ENDINGS.get(body.reason) or f"exit {body.exit_code}"
        style = DIM if words == "exit 0" else RED
        self._screen.line(words, style=style, note=figures.elapsed(seconds), indent=_INDENT)

    def _write_tail(self, output: _Output) -> None:
        if (above := output.lines - len(output.tail)) > 0:
            self._screen.line(f"… {figures.count(above, 'line')} above", style=DIM, indent=_INDENT)
        for line in output.tail:
            self._screen.line(line, style=DIM, indent=_INDENT, overflow="cut")

    def _test_reported(self, body: runner.TestReported) -> None:
        self._screen.gap()
        skipped = f" · {body.skipped} skipped" if body.skipped else ""
        if body.failed:
            of_all = figures.count(body.passed + body.failed, "test")
            self._screen.line(f"{body.failed} of {of_all} failed{skipped}", mark="✗", mark_style=RED)
        else:
            passed = figures.count(body.passed, "test")
            self._screen.line(f"{passed} passed{skipped}", mark="✓", mark_style=GREEN)
        for failure in body.failures:
            self._screen.line(clean_line(failure.name), indent=_INDENT)
            message = [line for line in map(clean_line, failure.message.splitlines()) if line]
            for line in message[-_FAILURE_LINES:]:
                self._screen.line(line, style=DIM, indent=_INDENT + "  ")

    def _commit_created(self, body: runner.CommitCreated) -> None:
        subject = clean_line(body.message.strip().partition("\n")[0])
        changed = f"{figures.count(body.files_changed, 'file')} · +{body.insertions} −{body.deletions}"
        branch = f" · on {clean_line(body.branch)}" if body.branch else ""
        self._screen.gap()
        self._screen.line(f"commit {clean_line(body.sha)[:10]}  {subject}", mark="✓", mark_style=GREEN)
        self._screen.line(f"{changed}{branch}", style=DIM, indent=_INDENT)

    def _commit_pushed(self, body: runner.CommitPushed) -> None:
        self._screen.line(f"pushed {clean_line(body.branch)} to {clean_line(body.remote)}", mark="✓", mark_style=GREEN)
