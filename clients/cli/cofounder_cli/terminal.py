"""Makes text from elsewhere safe to print: no control, no escape sequence and no bidi trick gets through.

Whatever a model, a file name, a command or a server says passes here before it reaches a terminal. What stays is what
the reader would see anyway: letters, marks, newlines and tabs.
"""

import re
import unicodedata
from typing import Protocol

_NEWLINE_AND_TAB = "\n\t"
_BIDI_AND_HIDDEN = (
    "\u061c\u200e\u200f"  # marks that turn the direction of what follows
    "\u202a-\u202e"  # embeddings and overrides
    "\u2066-\u2069"  # isolates
    "\u2028\u2029"  # separators that some terminals break lines at
    "\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotations
    "\U000e0000-\U000e007f"  # tags: a second text that nobody sees
)
_DROPPED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_BIDI_AND_HIDDEN}]")

_ESCAPE = "\x1b"
_BELL = "\x07"
_CSI = "\x9b"
_STRING_TERMINATOR = "\x9c"
_STRING_STARTS = "\x90\x98\x9d\x9e\x9f"  # DCS, SOS, OSC, PM, APC
_STRING_STARTS_AFTER_ESCAPE = "PX]^_"

MAX_SEQUENCE = 65_536
"""Characters after which a sequence that never ended is given up, so that it cannot swallow a whole build."""

MAX_MARKS = 8
"""Combining marks kept on one base character. No script needs more; a tower of them covers the lines around it."""


class _State(Protocol):
    """Takes the next character; returns the state after it and whether the character is shown."""

    def __call__(self, char: str, /) -> "tuple[_State, bool]": ...


class Sanitizer:
    """Cleans one stream of text, piece by piece.

    A sequence may be split between two pieces anywhere; one that never ends is given up at the end of its line or
    after `MAX_SEQUENCE` characters. Use one instance for each stream that is shown as a run of its own (a model call,
    a file, one channel of a command), so that a sequence left open in one cannot hide text of another.
    """

    def __init__(self) -> None:
        self._state: _State = _ground
        self._length = 0
        self._marks = 0

    def feed(self, text: str) -> str:
        """Returns what of `text` may be shown."""
        if self._state is _ground and text.isascii() and not _DROPPED.search(text):
            self._marks = 0
            return text
        kept: list[str] = []
        state = self._state
        for char in text:
            before = state
            state, shown = state(char)
            if state is not _ground and state is before:
                self._length += 1
                if self._length > MAX_SEQUENCE:
                    state = _ground
            else:
                self._length = 0
            if shown and self._within_marks(char):
                kept.append(char)
        self._state = state
        return "".join(kept)

    def _within_marks(self, char: str) -> bool:
        if char.isascii() or unicodedata.category(char) not in ("Mn", "Me"):
            self._marks = 0
            return True
        self._marks += 1
        return self._marks <= MAX_MARKS


def clean(text: str) -> str:
    """Cleans a text that stands by itself, newlines and tabs kept."""
    return Sanitizer().feed(text)


def clean_line(text: str) -> str:
    """Cleans a text that must stay on one line: runs of white space become one space."""
    return " ".join(clean(text).split())


# The states of the scanner follow ECMA-48 as terminals read it. A character that cannot belong to the sequence that is
# open ends it and is judged afresh.


def _ground(char: str) -> tuple[_State, bool]:
    if char == _ESCAPE:
        return _after_escape, False
    if char == _CSI:
        return _in_csi, False
    if char in _STRING_STARTS:
        return _in_string, False
    return _ground, char in _NEWLINE_AND_TAB or not _DROPPED.match(char)


def _after_escape(char: str) -> tuple[_State, bool]:
    if char == "[":
        return _in_csi, False
    if char in _STRING_STARTS_AFTER_ESCAPE:
        return _in_string, False
    if " " <= char <= "/":
        return _in_designation, False
    if "0" <= char <= "~":
        return _ground, False
    return _ground(char)


def _in_designation(char: str) -> tuple[_State, bool]:
    if " " <= char <= "/":
        return _in_designation, False
    if "0" <= char <= "~":
        return _ground, False
    return _ground(char)


def _in_csi(char: str) -> tuple[_State, bool]:
    if " " <= char <= "?":
        return _in_csi, False
    if "@" <= char <= "~":
        return _ground, False
    return _ground(char)


def _in_string(char: str) -> tuple[_State, bool]:
    if char in (_BELL, _STRING_TERMINATOR):
        return _ground, False
    if char in ("\n", _ESCAPE):
        return _ground(char)
    return _in_string, False
