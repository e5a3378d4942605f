"""Measures and cuts text by the columns it takes on a terminal. The text is clean already (see `terminal`)."""

import unicodedata
from collections.abc import Iterator


def width(text: str) -> int:
    """Returns the columns of `text`, which has neither newline nor tab."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def cut(text: str, columns: int) -> str:
    """Returns `text`, or its beginning with `…` if it takes more than `columns`."""
    if width(text) <= columns:
        return text
    taken = 0
    for index, char in enumerate(text):
        taken += _width_of(char)
        if taken > columns - 1:
            return text[:index].rstrip() + "…"
    return text


def wrap(text: str, columns: int) -> Iterator[str]:
    """Yields `text`, which has no newline, in pieces of at most `columns`, broken at blanks where it can be.

    Only the blank at a break is lost. The last piece is what may still grow: it is yielded too, even if it is empty.
    """
    start, blank, taken, since_blank = 0, -1, 0, 0
    for index, char in enumerate(text):
        size = _width_of(char)
        if taken + size > columns and index > start:
            if blank > start:
                yield text[start:blank]
                start, taken = blank + 1, since_blank
            else:
                yield text[start:index]
                start, taken = index, 0
            blank = -1
        taken += size
        since_blank += size
        if char == " ":
            blank, since_blank = index, 0
    yield text[start:]


def _width_of(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
