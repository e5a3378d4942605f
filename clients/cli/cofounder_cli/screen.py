"""Writes to a person's terminal, or to a pipe: lines that stay, and on a terminal a few live rows below them.

On a terminal the rows that still change (the open line of a text, the status) are drawn again in place; everything
above them is written once. In a pipe, in CI and where TERM is dumb nothing is ever drawn again: text goes out as it
comes, without colour or cursor movement. All text is clean already; the only escapes written are the few named here.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TextIO

from cofounder_cli import cells

BOLD = "1"
DIM = "2"
RED = "31"
GREEN = "32"
YELLOW = "33"

_ERASE_TO_END = "\x1b[J"
_NO_WRAP = "\x1b[?7l"
_WRAP = "\x1b[?7h"
_NARROWEST = 20


class Screen:
    """One place to write to. Nothing reaches it before `paint`, which writes all that changed at once."""

    def __init__(self, out: TextIO, *, live: bool = False, colour: bool = False) -> None:
        self._out = out
        self._live = live
        self._colour = colour
        self._pending: list[str] = []
        self._open: _OpenText | None = None
        self._rows: Sequence[str] = ()
        self._status = ""
        self._drawn: list[str] = []
        self._gap_stands = True

    @property
    def is_live(self) -> bool:
        """True if rows can be drawn again in place."""
        return self._live

    def heading(self, text: str, *, note: str) -> None:
        """Begins a section: a gap, then a line that what follows stands close to."""
        self.gap()
        self.line(text, style=BOLD, mark="●", note=note, indent="")
        self._gap_stands = True

    def line(
        self, text: str = "", *, style: str = "", mark: str = "", mark_style: str = "", note: str = "",
        indent: str = "  ", overflow: Literal["wrap", "cut", "leave"] = "wrap",
    ) -> None:  # fmt: skip
        """Writes a whole line; several, if `text` holds newlines or does not fit.

        `mark` stands before the text, and what is broken off hangs under the text. `note` follows it, dimmed. With
        `overflow` a terminal shows as much as fits, or is left to break the line, so that it can be copied whole.
        """
        self.end_text()
        hanging = indent + " " * (cells.width(mark) + 1 if mark else 0)
        columns = self._columns(hanging)
        pieces = list(self._fit(text, columns, overflow))
        lines = [self._styled(piece, style) for piece in pieces]
        if note and (not self._live or cells.width(pieces[-1]) + 2 + cells.width(note) <= columns):
            lines[-1] += f"  {self._styled(note, DIM)}"
        elif note:
            lines.extend(self._styled(piece, DIM) for piece in cells.wrap(note, columns))
        for index, line in enumerate(lines):
            self._keep(f"{indent}{self._styled(mark, mark_style)} " if mark and index == 0 else hanging, line)

    def gap(self) -> None:
        """Leaves one empty line between what stands and what comes; never two."""
        self.end_text()
        if not self._gap_stands:
            self._keep("", "")

    def text(self, key: str, text: str, *, style: str = "", indent: str = "  ", apart: bool = False) -> None:
        """Goes on with the text named `key`, piece by piece; another key's text is ended first.

        `apart` leaves a gap before and after it.
        """
        if self._open is not None and self._open.key != key:
            self.end_text()
        if self._open is None:
            text = text.lstrip("\n")
            if not text:
                return
            if apart:
                self.gap()
            self._open = _OpenText(key, style, indent, apart)
        if self._live:
            self._grow(self._open, text.expandtabs(4))
        else:
            self._pass_on(self._open, text)

    def end_text(self) -> None:
        """Ends the open text, if there is one, with a newline."""
        if self._open is None:
            return
        last, self._open = self._open, None
        if self._live and last.rest:
            self._keep(last.indent, self._styled(last.rest, last.style))
        elif not self._live and not last.at_line_start:
            self._pending.append("\n")
        if last.apart:
            self.gap()

    def show(self, rows: Sequence[str], *, status: str = "") -> None:
        """Sets the live rows, with the status below them; drawn on a terminal only, each cut to its width."""
        self._rows = rows
        self._status = status

    def paint(self) -> None:
        """Writes what changed since the last time."""
        rows = self._live_rows() if self._live else []
        if self._pending or rows != self._drawn:
            self._out.write(self._erasure() + "".join(self._pending) + self._drawing(rows))
            self._out.flush()
        self._pending.clear()
        self._drawn = rows

    def close(self) -> None:
        """Ends the open text and takes the live rows away."""
        self.end_text()
        self.show(())
        self.paint()

    def _styled(self, text: str, style: str) -> str:
        """Returns `text` in a style, where colour is wanted."""
        return f"\x1b[{style}m{text}\x1b[0m" if style and text and self._colour else text

    def _fit(self, text: str, columns: int, overflow: str) -> Iterator[str]:
        for part in text.expandtabs(4).split("\n"):
            if not self._live or overflow == "leave":
                yield part
            elif overflow == "cut":
                yield cells.cut(part, columns)
            else:
                yield from cells.wrap(part, columns)

    def _keep(self, indent: str, styled: str) -> None:
        whole = f"{indent}{styled}".rstrip()
        self._pending.append(f"{whole}\n")
        self._gap_stands = not whole

    def _grow(self, open_text: "_OpenText", text: str) -> None:
        *ended, rest = (open_text.rest + text).split("\n")
        columns = self._columns(open_text.indent)
        for part in ended:
            for piece in cells.wrap(part, columns):
                self._keep(open_text.indent, self._styled(piece, open_text.style))
        *full, open_text.rest = cells.wrap(rest, columns)
        for piece in full:
            self._keep(open_text.indent, self._styled(piece, open_text.style))

    def _pass_on(self, open_text: "_OpenText", text: str) -> None:
        for part in text.splitlines(keepends=True):
            if open_text.at_line_start and part.strip("\n"):
                self._pending.append(open_text.indent)
            self._pending.append(part)
            open_text.at_line_start = part.endswith("\n")
            self._gap_stands = open_text.at_line_start and not part.strip("\n")

    def _live_rows(self) -> list[str]:
        rows = list(self._rows)
        if self._open is not None and self._open.rest:
            rows.insert(0, self._open.indent + self._open.rest)
        if self._status:
            rows += [self._status] if self._gap_stands and not rows else ["", self._status]
        columns = max(terminal_columns(self._out) - 1, _NARROWEST)
        return [cells.cut(row, columns) for row in rows]

    def _erasure(self) -> str:
        if not self._drawn:
            return ""
        # A terminal that became narrower since has broken the rows itself.
        columns = max(terminal_columns(self._out), 1)
        lines = sum(max(1, -(-cells.width(row) // columns)) for row in self._drawn)
        up = f"\x1b[{lines - 1}A" if lines > 1 else ""
        return f"\r{up}{_ERASE_TO_END}"

    def _drawing(self, rows: list[str]) -> str:
        if not rows:
            return ""
        opened = self._open is not None and bool(self._open.rest)
        style = self._open.style if self._open is not None else ""
        styles = [style if opened and index == 0 else DIM for index in range(len(rows))]
        drawn = "\n".join(self._styled(row, style) for row, style in zip(rows, styles, strict=True))
        return f"{_NO_WRAP}{drawn}{_WRAP}"

    def _columns(self, indent: str) -> int:
        return max(terminal_columns(self._out) - cells.width(indent) - 1, _NARROWEST)


class _OpenText:
    def __init__(self, key: str, style: str, indent: str, apart: bool) -> None:
        self.key = key
        self.style = style
        self.indent = indent
        self.apart = apart
        self.rest = ""
        self.at_line_start = True


def for_stream(out: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
    """Returns the screen that fits `out`: live on a terminal, plain in a pipe, in CI and on a dumb terminal."""
    live = out.isatty() and environ.get("TERM", "dumb") != "dumb" and not environ.get("CI")
    return Screen(out, live=live, colour=live and not environ.get("NO_COLOR"))


def terminal_columns(out: TextIO) -> int:
    """Returns the width of the terminal behind `out`, as it is now; 80 if there is none."""
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def survive_any_locale() -> None:
    """Lets the standard streams replace what their encoding cannot write, instead of failing midway."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
