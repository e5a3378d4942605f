"""Secrets out of streaming text, before anything is stored (D-11).

The law: however the text of a channel is cut into pieces, the joined output is the same, and equals the redaction of
the whole. It holds because each decision is made at one position from left to right, from the text that follows only;
where that text is not there yet, everything from the position on is held back until it is.
"""

import functools
import json
import re
from collections.abc import Collection, Sequence
from urllib.parse import quote

from cofounder_server.builds import redact_patterns as patterns

# Shorter values of our own are left alone: they would be found in the middle of ordinary words.
LEAST_EXACT = 8

# Nothing is held back beyond this many characters; every shape decides sooner, exact secrets excepted (their length).
LONGEST_HELD = 4096


class Redactor:
    """Replaces secrets by `[redacted:<kind>]` in any number of channels, each a stream of text of its own.

    `exact` are secrets of this process, found wherever they stand, also percent-encoded or escaped as in JSON. They go
    first, as a whole; what is left is searched for the shapes of well-known secrets.
    Only a suffix that may still become a secret is held back, so ordinary text passes at once.
    """

    def __init__(self, exact: Collection[str] = ()) -> None:
        self._exact = sorted(_spellings(exact), key=len, reverse=True)
        self._channels: dict[str, tuple[_Exact, _Shaped]] = {}

    def feed(self, channel: str, text: str) -> str:
        """Returns what may be shown now that `text` has arrived; possibly nothing, possibly text that was held back."""
        if channel not in self._channels:
            self._channels[channel] = _Exact(self._exact), _Shaped()
        exact, shaped = self._channels[channel]
        return shaped.feed(exact.feed(text))

    def flush(self, channel: str) -> str:
        """Ends the channel: returns what was held back, redacted as text after which nothing comes."""
        if channel not in self._channels:
            return ""
        exact, shaped = self._channels.pop(channel)
        return shaped.feed(exact.feed("", final=True), final=True)

    def whole(self, text: str) -> str:
        """Returns the redaction of a text that is complete."""
        return _Shaped().feed(_Exact(self._exact).feed(text, final=True), final=True)


def _spellings(exact: Collection[str]) -> set[str]:
    plain = {secret.strip() for secret in exact}
    found = {form for secret in plain for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
    return {secret for secret in found if len(secret) >= LEAST_EXACT}


class _Exact:
    """The first pass: the process's own secrets, leftmost and longest."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets
        self._held = ""

    def feed(self, text: str, *, final: bool = False) -> str:
        if not self._secrets:
            return text
        text = self._held + text
        shown: list[str] = []
        at = 0
        while True:
            begin, length = self._find(text, at)
            hold = len(text) if final else self._may_begin(text, at)
            if begin >= hold:
                break
            shown += text[at:begin], "[redacted:secret]"
            at = begin + length
        self._held = text[hold:]
        return "".join(shown) + text[at:hold]

    def _find(self, text: str, at: int) -> tuple[int, int]:
        """Returns where the first secret begins (of several there, the longest) and its length."""
        first = len(text), 0
        for secret in self._secrets:
            begin = text.find(secret, at, first[0] + len(secret) - 1 if first[1] else len(text))
            if 0 <= begin < first[0]:
                first = begin, len(secret)
        return first

    def _may_begin(self, text: str, at: int) -> int:
        """Returns the first position from which the text, up to its end, is the beginning of a secret."""
        earliest = len(text)
        for secret in self._secrets:
            begin = text.find(secret[0], max(at, len(text) - len(secret) + 1), earliest)
            while begin >= 0 and not secret.startswith(text[begin:]):
                begin = text.find(secret[0], begin + 1, earliest)
            if begin >= 0:
                earliest = begin
        return earliest


class _Shaped:
    """The second pass: the shapes of well-known secrets."""

    def __init__(self) -> None:
        self._held = ""
        self._before = ""  # the two characters before what is held, for shapes that begin where a word begins
        self._within: patterns.Shape | None = None  # the secret that the text is inside of, its marker shown already
        self._inside = 0  # how many characters of it have been passed over, where that is bounded

    def feed(self, text: str, *, final: bool = False) -> str:
        text = self._held + text
        shown: list[str] = []
        at, waiting = 0, False
        while at < len(text) and not waiting:
            if self._within:
                at, waiting = self._pass_over(self._within, text, at)
            else:
                at, waiting = self._step(text, at, shown, final)
        self._before = (self._before + text[max(0, at - 2) : at])[-2:]
        self._held = "" if final else text[at:]
        return "".join(shown)

    def _step(self, text: str, at: int, shown: list[str], final: bool) -> tuple[int, bool]:
        """Shows text up to the next secret and its marker; returns where it came to and whether more text is needed."""
        found = _STARTS.search(text, at)
        begin = found.start() if found else len(text)
        partial = len(text) if final else _may_start(text, at)
        shown.append(text[at : min(begin, partial)])
        if partial <= begin:
            return partial, True
        decision = self._decide(text, begin, final)
        if decision is patterns.MORE:
            return begin, True
        if isinstance(decision, patterns.Undecided):
            shown.append(text[begin])
            return begin + 1, False
        shape, secret, end = decision
        shown.append(f"{text[begin:secret]}[redacted:{shape.kind}]")
        self._within = shape if shape.swallow or shape.inside else None
        self._inside = 0
        return end, False

    def _decide(self, text: str, at: int, final: bool) -> tuple[patterns.Shape, int, int] | patterns.Undecided:
        window = text[at : at + LONGEST_HELD]
        if final:
            window += "\n"  # ends every shape, and is part of none
        for shape in _shapes_at(text, at):
            if shape.bounded and not self._word_begins(text, at):
                continue
            found = shape.match(window)
            if found is patterns.MORE and not final and len(window) < LONGEST_HELD:
                return patterns.MORE
            if not isinstance(found, patterns.Undecided):
                return shape, at + found[0], at + found[1]
        return patterns.NO

    def _word_begins(self, text: str, at: int) -> bool:
        before = (self._before + text[max(0, at - 2) : at])[-2:]
        # An escaped line break ends in a letter, but not a word.
        return _WORD_BEFORE.search(before) is None or before in ("\\n", "\\r", "\\t")

    def _pass_over(self, shape: patterns.Shape, text: str, at: int) -> tuple[int, bool]:
        """Leaves out what still belongs to the secret; returns where it came to and whether more text is needed."""
        if shape.inside:
            return self._pass_over_block(shape, text, at)
        found = _class(shape.swallow).match(text, at)
        end = found.end() if found else at
        if end < len(text):
            self._within = None
        return end, False

    def _pass_over_block(self, shape: patterns.Shape, text: str, at: int) -> tuple[int, bool]:
        limit = at + shape.inside - self._inside
        found = shape.ends.search(text, at, limit)
        if found or limit <= len(text):
            self._within = None
            return (found.end() if found else limit), False
        # The end may be cut by the end of the text: what could be its beginning is looked at again.
        tail = text.find("-----END", max(at, len(text) - patterns.END_LONGEST))
        end = tail if tail >= 0 else max(at, len(text) - len("-----EN"))
        self._inside += end - at
        return end, True


_WORD_BEFORE = re.compile(r"[A-Za-z0-9_\-]\Z")

_EXACT_STARTS = {start for shape in patterns.SHAPES if not shape.fold for start in shape.starts}
_FOLDED_STARTS = {start for shape in patterns.SHAPES if shape.fold for start in shape.starts}
_STARTS = re.compile(
    "|".join([*map(re.escape, sorted(_EXACT_STARTS)), *(f"(?i:{re.escape(s)})" for s in sorted(_FOLDED_STARTS))])
)
_PARTIAL_EXACT = frozenset(start[:n] for start in _EXACT_STARTS for n in range(1, len(start)))
_PARTIAL_FOLDED = frozenset(start[:n] for start in _FOLDED_STARTS for n in range(1, len(start)))
_BY_FIRST_CHARACTER = {
    start[0].lower(): [
        shape for shape in patterns.SHAPES if any(s[0].lower() == start[0].lower() for s in shape.starts)
    ]
    for start in _EXACT_STARTS | _FOLDED_STARTS
}
_LONGEST_START = max(map(len, _EXACT_STARTS | _FOLDED_STARTS))


def _may_start(text: str, at: int) -> int:
    """Returns the first position from which the text, up to its end, is the beginning of a start."""
    for begin in range(max(at, len(text) - _LONGEST_START + 1), len(text)):
        rest = text[begin:]
        if rest in _PARTIAL_EXACT or rest.lower() in _PARTIAL_FOLDED:
            return begin
    return len(text)


def _shapes_at(text: str, at: int) -> list[patterns.Shape]:
    """Returns the shapes that begin at the position, also those of whose start only the beginning is there yet."""
    rest = text[at : at + _LONGEST_START]
    folded = rest.lower()
    candidates = _BY_FIRST_CHARACTER.get(folded[0], ())
    return [shape for shape in candidates if _starts_with(folded if shape.fold else rest, shape.starts)]


def _starts_with(text: str, starts: Sequence[str]) -> bool:
    return any(text.startswith(start) or start.startswith(text) for start in starts)


@functools.cache
def _class(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{characters}]*")
