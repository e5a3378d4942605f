"""The view of a build for a program: one event a line on stdout, canonical JSON, and nothing else there."""

from typing import TextIO

from cofounder_cli import ending, protojson
from cofounder_cli._gen.cofounder.runner import v1 as runner


class Record:
    """Writes each event as a line to `out`, flushed with each response; what a person should know goes to `err`."""

    def __init__(self, build: runner.Build, *, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._rehearsal = ending.rehearsal_of(build)
        self._say(f"build       {build.build_id}")
        if self._rehearsal:
            self._say(self._rehearsal)

    def take(self, response: runner.WatchBuildResponse) -> None:
        """Writes the events of one response."""
        if response.events:
            self._out.write("".join(f"{protojson.to_line(event)}\n" for event in response.events))
            self._out.flush()

    def tick(self) -> None:
        """Nothing changes between two events."""

    def notice(self, text: str) -> None:
        """Says something about the connection."""
        self._say(text)

    def leave(self) -> None:
        """Ends early; every line so far is whole."""

    def close(self, end: ending.Ending) -> None:
        """Ends with how the build ended, on `err`."""
        for line in end.lines():
            self._say(line)
        if self._rehearsal:
            self._say(self._rehearsal)

    def _say(self, text: str) -> None:
        self._err.write(f"{text}\n")
        self._err.flush()
