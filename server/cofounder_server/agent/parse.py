"""The one JSON document in a model's answer, read strictly, mended little, and never completed (E-7).

Mended are a byte-order mark, a fence, prose around the document and commas before a closing bracket. A document whose
end did not arrive is refused: what a model did not say is not guessed.
"""

import contextlib
import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from cofounder_server.builds import text as texts

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 64

_FENCE_OPENS = re.compile(r"[ \t]*(```+|~~~+)[ \t]*([\w+-]*)")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[{}\[\]]', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(\s*[}\]])', re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}
_OBJECT_BEGINS = re.compile(r'\{\s*"')
# What shows that an object is part of a larger document.
_PART_BEFORE = re.compile(r'(?:[\[{]|"\s*:)\s*\Z')
_PART_AFTER = re.compile(r"\s*[}\]]")


class Unusable(ValueError):
    """The answer holds no document that may be used. The message says why, in words fit for the model."""


class PlanStep(BaseModel):
    """One step of the architect's plan."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    description: str = Field(min_length=1, max_length=500)
    files: list[str] = Field(default_factory=list, max_length=40)


class Plan(BaseModel):
    """The architect's answer."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=120)
    steps: list[PlanStep] = Field(min_length=1, max_length=20)


class Verdict(BaseModel):
    """The reviewer's answer."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    complete: StrictBool
    findings: list[str] = Field(default_factory=list, max_length=20)


_Document = TypeVar("_Document", bound=BaseModel)


def parse(answer: str, document: type[_Document]) -> _Document:
    """Returns the document in `answer`, checked against its schema. Raises `Unusable`."""
    value = find_object(answer)
    try:
        return document.model_validate(value)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()[:5]
        )
        raise Unusable(f"The JSON does not fit what was asked for: {faults}") from None


def find_object(answer: str) -> dict[str, Any]:
    """Returns the single JSON object in `answer`, its strings clean (C-10). Raises `Unusable`."""
    if len(answer) > MAX_CHARACTERS:
        raise Unusable(f"The answer has {len(answer)} characters; at most {MAX_CHARACTERS} are read.")
    answer = answer.removeprefix("\ufeff").strip()
    if not answer:
        raise Unusable("The answer is empty.")
    if answer[0] == "{" and answer[-1] == "}":
        with contextlib.suppress(Unusable):
            return _object(answer)
    fences, prose = _fences(answer)
    candidates = [content for language, content in fences if language == "json"]
    candidates = candidates or [content for language, content in fences if not language and content.startswith("{")]
    documents = [_object(candidate) for candidate in candidates or _standing_free(prose)]
    if not documents:
        raise Unusable("There is no JSON object in the answer.")
    if any(document != documents[0] for document in documents):
        raise Unusable("There is more than one JSON object in the answer; give the one that counts.")
    return documents[0]


def _fences(answer: str) -> tuple[list[tuple[str, str]], str]:
    """Returns (language, content) of each closed fence, and the text outside of them. Linear in the text."""
    fences: list[tuple[str, str]] = []
    outside: list[str] = []
    inside: list[str] = []
    opening: re.Match[str] | None = None
    for line in answer.splitlines(keepends=True):
        if opening is None:
            opening = _FENCE_OPENS.match(line)
            (outside if opening is None else inside).append(line)
        elif line.strip() == opening[1]:
            fences.append((opening[2].lower(), "".join(inside[1:]).strip()))
            opening, inside = None, []
        else:
            inside.append(line)
    # One that is never closed is read as prose: what stands in it may be whole all the same.
    return fences, "".join(outside + inside)


def _standing_free(answer: str) -> list[str]:
    """Returns the objects that stand in prose, each whole and part of nothing larger."""
    found = []
    at = 0
    while (start := answer.find("{", at)) >= 0:
        end = _end(answer, start)
        like_json = _OBJECT_BEGINS.match(answer, start) is not None
        if like_json and end is None:
            raise Unusable("The JSON is cut off or its brackets do not match; give it whole.")
        if like_json and end is not None:
            if _PART_BEFORE.search(answer[max(0, start - 100) : start]) or _PART_AFTER.match(answer, end):
                raise Unusable("The JSON is not one object, or brackets stand around it.")
            found.append(answer[start:end])
        at = end or start + 1
    return found


def _end(answer: str, start: int) -> int | None:
    """Returns where the bracket at `start` is closed; None if it is not. Raises `Unusable` beyond `MAX_DEPTH`."""
    closers: list[str] = []
    for token in _STRUCTURE.finditer(answer, start):
        mark = token[0]
        if mark in _CLOSERS:
            closers.append(_CLOSERS[mark])
            if len(closers) > MAX_DEPTH:
                raise Unusable(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
        elif mark in "}]":
            if closers.pop() != mark:
                return None
            if not closers:
                return token.end()
        elif not mark.endswith('"') or len(mark) == 1:
            return None  # a string that never ends
    return None


def _object(document: str) -> dict[str, Any]:
    if not document.startswith("{"):
        raise Unusable("The JSON is not an object.")
    if _end(document, 0) != len(document):
        raise Unusable("The JSON is cut off, or something stands after it.")
    try:
        value = _load(document)
    except json.JSONDecodeError:
        try:
            value = _load(_without_trailing_commas(document))
        except json.JSONDecodeError as error:
            raise Unusable(f"The JSON is not valid: {error.msg} at line {error.lineno}.") from None
    cleaned: dict[str, Any] = _clean(value)
    return cleaned


def _load(document: str) -> Any:
    try:
        return json.loads(document, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, Unusable):
        raise
    except (ValueError, RecursionError) as error:
        raise Unusable(f"The JSON holds a value that cannot be read ({type(error).__name__}).") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unusable("The JSON names a key twice in one object.")
    return found


def _refuse_constant(name: str) -> None:
    raise Unusable(f"{name} is not JSON.")


def _without_trailing_commas(document: str) -> str:
    def mended(found: re.Match[str]) -> str:
        # "[,]" is no list with a comma too many.
        before = document[max(0, found.start() - 1000) : found.start()].rstrip()[-1:]
        return found[0] if found[1] is not None or before in ("[", "{", ",") else found[2]

    return _STRING_OR_COMMA.sub(mended, document)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return texts.clean(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {texts.clean(key): _clean(item) for key, item in value.items()}
    return value
