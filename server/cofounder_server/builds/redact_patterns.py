"""How secrets look (D-11): shapes that say at a position whether a secret begins there, or that more text is needed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Undecided(Enum):
    """The two answers beside "matched up to here"."""

    NO = "no"
    MORE = "more"


NO, MORE = Undecided.NO, Undecided.MORE

# A piece of a shape: given the text and where to look, where the piece ends, or NO, or MORE if the text ends too soon.
Piece = Callable[[str, int], int | Undecided]


def literal(*words: str, fold: bool = False) -> Piece:
    """One of `words`, none of which begins another; `fold` ignores the case (of words given in lower case)."""
    longest = max(map(len, words))

    def match(text: str, at: int) -> int | Undecided:
        found = text[at : at + longest]
        if fold:
            found = found.lower()
        for word in words:
            if found.startswith(word):
                return at + len(word)
        return MORE if len(found) < longest and any(word.startswith(found) for word in words) else NO

    return match


def run(characters: str, least: int, most: int, *, needs: str = "") -> Piece:
    """As many of `characters` (a regex class) as there are, up to `most`; with `needs`, a regex they must contain."""
    pattern = re.compile(f"[{characters}]{{0,{most}}}")
    needed = re.compile(needs)

    def match(text: str, at: int) -> int | Undecided:
        found = pattern.match(text, at)
        end = found.end() if found else at
        if end == len(text) and end - at < most:
            return MORE
        return end if end - at >= least and needed.search(text, at, end) else NO

    return match


def credentials(text: str, at: int) -> int | Undecided:
    """The `user:password` of a URL, up to the last `@` before the path; not a placeholder such as `${PASSWORD}`."""
    found = _AUTHORITY.match(text, at)
    stop = found.end() if found else at
    cut_short = stop == len(text) and stop - at < _AUTHORITY_LONGEST
    colon = text.find(":", at, min(stop, at + _USER_LONGEST + 1))
    if colon < 0:
        return MORE if cut_short and stop - at <= _USER_LONGEST else NO
    if cut_short:
        return MORE
    last = text.rfind("@", colon, stop)
    if last <= colon + 1 or _PLACEHOLDER.fullmatch(text, colon + 1, last):
        return NO
    return last


_USER_LONGEST = 128
_AUTHORITY_LONGEST = 1024
_AUTHORITY = re.compile(rf"""[^\s/?#"'`<>\\]{{0,{_AUTHORITY_LONGEST}}}""")
_PLACEHOLDER = re.compile(r"\$\{?\w+\}?|\{+[\w.]*\}+|\*+|%s|%\(\w+\)s|\$\([^)]*\)")


@dataclass(frozen=True)
class Shape:
    """A kind of secret: `starts` are the literals at which a look is taken, `pieces` what must follow one another.

    The text up to the end of piece `keep` (counted from 1) is shown, the rest replaced. Once all pieces match, further
    characters of the class `swallow` belong to the secret, however many; so only the pieces are ever held back.
    With `inside` the secret goes on up to `ends` instead, at most `inside` characters.
    """

    kind: str
    starts: Sequence[str]
    pieces: Sequence[Piece]
    fold: bool = False
    bounded: bool = False
    keep: int = 0
    swallow: str = ""
    inside: int = 0
    ends: re.Pattern[str] = field(default_factory=lambda: re.compile(""))

    def match(self, text: str) -> tuple[int, int] | Undecided:
        """Looks at the beginning of `text`: (where the secret begins, where the matched part ends), or NO, or MORE."""
        begin = end = 0
        for number, piece in enumerate(self.pieces, 1):
            found = piece(text, end)
            if isinstance(found, Undecided):
                return found
            end = found
            if number <= self.keep:
                begin = end
        return begin, end


_WORD = r"A-Za-z0-9_\-"
_BASE64 = r"A-Za-z0-9+/="
_VALUE = r"A-Za-z0-9._~+/=\-"


def _key(kind: str, prefixes: Sequence[str], characters: str, length: int, *, bounded: bool = False) -> Shape:
    """A key with a telling prefix. One that words could contain must hold a digit and begin where a word begins."""
    body = run(characters, length, length, needs="[0-9]" if bounded else "")
    return Shape(kind, prefixes, (literal(*prefixes), body), bounded=bounded, swallow=characters)


def _private_key(first: Piece) -> Shape:
    """The header alone is no secret (code mentions it): what follows must look like the beginning of a body."""
    header = run("A-Z0-9 ", 11, 60, needs=r"PRIVATE KEY( BLOCK)?\Z")
    gap = run(r"""\s\\nrt"'+,""", 0, 64)
    pieces = (literal("-----BEGIN "), header, literal("-----"), gap, first)
    ends = re.compile(r"-----END [A-Z0-9 ]{1,60}-----")
    return Shape("private-key", ("-----BEGIN ",), pieces, inside=PRIVATE_KEY_LONGEST, ends=ends)


PRIVATE_KEY_LONGEST = 16 * 1024  # characters, of a block that never ends
END_LONGEST = 80

_SPACE_AND_QUOTE = run(r"""\s"'""", 0, 16)

# The order decides where two begin at the same place.
SHAPES: Sequence[Shape] = (
    _private_key(run(_BASE64, 16, 16)),
    _private_key(literal("Proc-Type:", "Version:", "Comment:", "DEK-Info:", "Key-")),
    _key("anthropic-key", ("sk-ant-",), _WORD, 16),
    _key("openai-key", ("sk-",), _WORD, 20, bounded=True),
    _key("stripe-key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), "A-Za-z0-9", 10),
    _key("stripe-webhook-secret", ("whsec_",), _BASE64, 16),
    _key("aws-key-id", ("AKIA", "ASIA"), "A-Z0-9", 16),
    Shape(
        "aws-secret-key",
        ("secret_access_key", "secretaccesskey"),
        (
            literal("secret_access_key", "secretaccesskey", fold=True),
            run(r"""\s"'=:\\""", 1, 16),
            run("A-Za-z0-9/+=", 40, 40),
        ),
        fold=True,
        keep=2,
        swallow="A-Za-z0-9/+=",
    ),
    _key("github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "A-Za-z0-9", 30),
    _key("github-token", ("github_pat_",), "A-Za-z0-9_", 22),
    _key("gitlab-token", ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"), _WORD, 20),
    _key(
        "slack-token", ("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxc-", "xoxd-", "xoxe.", "xapp-"), r"\w.%\-", 10
    ),
    _key("slack-webhook", ("hooks.slack.com/services/",), r"\w/", 20),
    _key("google-key", ("AIza",), _WORD, 35),
    _key("google-secret", ("GOCSPX-",), _WORD, 20),
    _key("google-token", ("ya29.",), _WORD + ".", 20),
    _key("npm-token", ("npm_",), "A-Za-z0-9", 36),
    _key("pypi-token", ("pypi-AgE",), _WORD, 50),
    _key("huggingface-token", ("hf_",), "A-Za-z0-9", 30, bounded=True),
    Shape(
        "jwt",
        ("eyJ",),
        (literal("eyJ"), run(_WORD, 10, 1024), literal("."), run(_WORD, 8, 8)),
        swallow=_WORD + ".",
    ),
    Shape("password", ("://",), (literal("://"), credentials), keep=1),
    Shape(
        "authorization",
        ("authorization:", "authorization=", 'authorization":', "authorization':"),
        (
            literal("authorization:", "authorization=", 'authorization":', "authorization':", fold=True),
            _SPACE_AND_QUOTE,
            literal("bearer ", "basic ", "token ", "digest ", fold=True),
            run(_VALUE, 8, 8),
        ),
        fold=True,
        keep=3,
        swallow=_VALUE,
    ),
    Shape(
        "bearer",
        ("bearer ",),
        (literal("bearer ", fold=True), _SPACE_AND_QUOTE, run(_VALUE, 16, 16, needs="[0-9]")),
        fold=True,
        keep=2,
        swallow=_VALUE,
    ),
    Shape(
        "api-key",
        ("x-api-key:", 'x-api-key":', "x-api-key':"),
        (literal("x-api-key:", 'x-api-key":', "x-api-key':", fold=True), _SPACE_AND_QUOTE, run(_VALUE, 16, 16)),
        fold=True,
        keep=2,
        swallow=_VALUE,
    ),
)
