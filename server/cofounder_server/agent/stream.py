"""What a model writes, taken apart while it is being written: prose, files between tags, JSON kept from the page.

Both readers are pure: text goes in as it arrives, in pieces of any size, and what is certain comes out. What comes
out, joined, does not depend on where the pieces were cut.
"""

import re
from dataclasses import dataclass

# A longer tag is no tag: what is held back stays bounded.
_LONGEST_TAG = 1200
_TAG = re.compile(
    r"""[ \t]*(?:<file[ \t]+path="(?P<file>[^"<>\n]*)"[ \t]*>|<delete[ \t]+path="(?P<delete>[^"<>\n]*)"[ \t]*/?>)"""
)
_CLOSING = "</file>"
_JSON_FENCE = re.compile(r"[ \t]*(```|~~~)[ \t]*json[ \t]*\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prose:
    """Text for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A file begins. Its path is as the model wrote it: unchecked."""

    path: str


@dataclass(frozen=True, slots=True)
class Content:
    """The next piece of the file that is open."""

    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The file that was open is whole."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file is to be taken away. Its path is unchecked."""

    path: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The text ended inside a file: what there is of it must not be used."""

    path: str


Piece = Prose | Opened | Content | Closed | Deleted | Unfinished


class FileTags:
    """Reads prose with files in it: `<file path="…">`, content, `</file>`; and `<delete path="…"/>`.

    A tag opens at the beginning of a line. `</file>` closes at the beginning of a line, at the end of one, and on the
    line of its opening tag; elsewhere it is content, so that a project may speak of the tag. The line break after the
    opening tag and the one before the closing tag are the tags' own; a text that is not empty then ends with one.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._path: str | None = None
        self._content: list[str] = []
        self._line_start = True
        self._skip_break = False
        # The file began on the line of its tag, and that line has not ended.
        self._inline = False

    def feed(self, text: str) -> list[Piece]:
        """Returns what `text` makes certain."""
        self._buffer += text
        return self._read(final=False)

    def close(self) -> list[Piece]:
        """Returns the rest, at the end of the text."""
        pieces = self._read(final=True)
        if self._path is not None:
            pieces.append(Unfinished(self._path))
            self._path = None
        return pieces

    def _read(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while self._buffer:
            if self._skip_break and not self._skip(final=final):
                break
            read = self._read_prose if self._path is None else self._read_file
            if not read(pieces, final=final):
                break
        return pieces

    def _skip(self, *, final: bool) -> bool:
        """Drops one line break (and blanks before it); False if more text must come to know."""
        found = re.match(r"[ \t]*\r?\n" if self._path is None else r"\r?\n", self._buffer)
        rest = self._buffer.lstrip(" \t") if self._path is None else self._buffer
        if found is None and rest in ("", "\r") and not final:
            return False
        if found is not None:
            self._buffer = self._buffer[found.end() :]
        self._skip_break = False
        self._inline = found is None
        return True

    def _read_prose(self, pieces: list[Piece], *, final: bool) -> bool:
        """Reads up to and including the next tag; False if the buffer holds no more that is certain."""
        at = 0 if self._line_start else self._next_line(0)
        while at < len(self._buffer):
            if (found := _TAG.match(self._buffer, at)) and len(found[0]) <= _LONGEST_TAG:
                self._say(pieces, at)
                self._open(pieces, found)
                return True
            if not final and _may_become_tag(self._buffer[at : at + _LONGEST_TAG + 1]):
                break
            at = self._next_line(at)
        self._say(pieces, at)
        return False

    def _next_line(self, at: int) -> int:
        found = self._buffer.find("\n", at)
        return len(self._buffer) if found < 0 else found + 1

    def _say(self, pieces: list[Piece], end: int) -> None:
        if end:
            self._line_start = self._buffer[end - 1] == "\n"
            pieces.append(Prose(self._buffer[:end]))
            self._buffer = self._buffer[end:]

    def _open(self, pieces: list[Piece], found: re.Match[str]) -> None:
        # What was said before has been taken from the buffer, so the tag stands at its beginning.
        self._buffer = self._buffer[found.end() - found.start() :]
        self._skip_break = True
        self._line_start = True
        if found["delete"] is not None:
            pieces.append(Deleted(found["delete"]))
            return
        self._path = found["file"]
        self._content = []
        pieces.append(Opened(self._path))

    def _read_file(self, pieces: list[Piece], *, final: bool) -> bool:
        at = self._buffer.find(_CLOSING)
        if at < 0:
            keep = 0 if final else _held(self._buffer)
            self._write(pieces, self._buffer[: len(self._buffer) - keep])
            return False
        verdict = self._closes(at, final=final)
        if verdict is None:
            self._write(pieces, self._buffer[:at])
            return False
        if verdict:
            self._finish(pieces, at)
        else:
            self._write(pieces, self._buffer[: at + len(_CLOSING)])
        return True

    def _closes(self, at: int, *, final: bool) -> bool | None:
        """Returns whether the closing tag at `at` closes; None if more text must come to know."""
        before = self._buffer[:at] or "".join(self._content[-1:])
        inline = self._inline and "\n" not in self._buffer[:at]
        # Nothing before it at all: the line break of the opening tag stands there.
        if inline or before.endswith("\n") or not before:
            return True
        after = self._buffer[at + len(_CLOSING) :].lstrip(" \t\r")
        if after:
            return after[0] == "\n"
        return True if final else None

    def _finish(self, pieces: list[Piece], at: int) -> None:
        last, rest = self._buffer[:at].removesuffix("\n"), self._buffer[at + len(_CLOSING) :]
        self._write(pieces, last)
        if self._content and not self._content[-1].endswith("\n"):
            self._write_content(pieces, "\n")
        self._buffer = rest
        pieces.append(Closed(self._path or "", "".join(self._content)))
        self._path, self._content = None, []
        self._skip_break = True
        self._line_start = True

    def _write(self, pieces: list[Piece], text: str) -> None:
        self._buffer = self._buffer[len(text) :]
        if text:
            self._write_content(pieces, text)

    def _write_content(self, pieces: list[Piece], text: str) -> None:
        self._inline = self._inline and "\n" not in text
        self._content.append(text)
        pieces.append(Content(text))


class Narration:
    """Passes prose on and keeps fenced JSON back: people read the one, the program the other."""

    def __init__(self) -> None:
        self._line = ""
        self._fence: str | None = None
        self._told = False

    def feed(self, text: str) -> str:
        """Returns what of `text`, and of what was held back, people should see."""
        return "".join(self._part(part) for part in re.findall(r"[^\n]*\n|[^\n]+", text))

    def close(self) -> str:
        """Returns the rest, at the end of the text."""
        rest, self._line = self._line, ""
        hidden = self._fence is not None or _JSON_FENCE.match(rest + "\n")
        return "" if hidden else rest

    def _part(self, part: str) -> str:
        """Takes at most one line, or the beginning of one."""
        if self._told:
            self._told = not part.endswith("\n")
            return part
        self._line += part
        whole = self._line.endswith("\n")
        if self._fence is not None:
            if whole:
                self._fence = None if self._line.strip() == self._fence else self._fence
                self._line = ""
            return ""
        if whole and (found := _JSON_FENCE.match(self._line)):
            self._fence, self._line = found[1], ""
            return ""
        if not whole and _may_become_fence(self._line):
            return ""
        shown, self._line = self._line, ""
        self._told = not whole
        return shown


def _may_become_tag(text: str) -> bool:
    if "\n" in text or len(text) > _LONGEST_TAG:
        return False
    begun = text.lstrip(" \t")
    if any(tag.startswith(begun) for tag in ("<file ", "<delete ")):
        return True
    return begun.startswith(("<file ", "<file\t", "<delete ", "<delete\t")) and ">" not in begun


def _may_become_fence(line: str) -> bool:
    begun = line.lstrip(" \t")
    if len(line) > 80:
        return False
    if any(fence.startswith(begun) for fence in ("```", "~~~")):
        return True
    return begun[:3] in ("```", "~~~") and "json".startswith(begun[3:].strip().lower())


def _held(text: str) -> int:
    """Returns how many characters at the end of `text` may be the beginning of the closing tag, or its line break."""
    for tag in ("\n" + _CLOSING, _CLOSING):
        for length in range(min(len(tag) - 1, len(text)), 0, -1):
            if text.endswith(tag[:length]):
                return length
    return 0
