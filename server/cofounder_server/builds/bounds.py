"""How much of a build a snapshot keeps, and how its long texts and lists are cut."""

from collections.abc import MutableSequence
from typing import TypeVar

MAX_STAGE_RUNS = 200
MAX_COMMANDS = 50
MAX_COMMITS = 50
MAX_WARNINGS = 50
MAX_GENERATIONS = 20
# Ends of stages that a new attempt may begin at, besides the beginning.
MAX_MARKS = 4
TAIL_CHARACTERS = 8192

Row = TypeVar("Row")


def keep_last(rows: MutableSequence[Row], count: int) -> None:
    """Drops the oldest rows beyond `count`."""
    if len(rows) > count:
        del rows[: len(rows) - count]


def append_tail(tail: str, text: str) -> tuple[str, int]:
    """Returns the end of `tail + text`, 8,192 characters at most, and how many were cut from its front."""
    whole = tail + text
    omitted = max(0, len(whole) - TAIL_CHARACTERS)
    return whole[omitted:], omitted
