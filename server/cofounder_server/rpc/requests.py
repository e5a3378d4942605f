"""What fields of requests may hold. Pure: a check knows nothing but the request, and names every field at fault."""

import re
from collections.abc import Collection
from uuid import UUID

from cofounder_server import errors

MAX_SEQUENCE = 2**53
GOAL_CHARACTERS = 20_000
SCENARIOS = ("happy_path", "llm_failure", "partial_build", "rate_limited")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NONE = UUID(int=0)


class Check:
    """Collects what is wrong with one request; `settle` then refuses it, with all of it.

    Each check returns the value that the request means. Of a field at fault it returns something harmless, which
    never gets anywhere because `settle` raises.
    """

    def __init__(self) -> None:
        self._violations: dict[str, str] = {}

    def settle(self) -> None:
        """Raises InvalidRequest if anything was wrong."""
        if self._violations:
            raise errors.InvalidRequest(self._violations)

    def fault(self, field: str, text: str) -> None:
        """Notes what is wrong with a field, unless something already is."""
        self._violations.setdefault(field, text)

    def uuid(self, field: str, value: str) -> UUID:
        """A UUID in its one canonical form, so that no two texts name the same thing."""
        if _UUID.fullmatch(value):
            return UUID(value)
        self.fault(field, "must be a UUID in lower-case canonical form" if value else "is required")
        return _NONE

    def uuid_or_none(self, field: str, value: str) -> UUID | None:
        """As `uuid`; None if it is empty."""
        return self.uuid(field, value) if value else None

    def text(self, field: str, value: str, *, most: int) -> str:
        """A text of 1 to `most` characters that are not all blank and can be stored as they are."""
        if _UNSTORABLE.search(value):
            self.fault(field, "must hold no NUL and no lone surrogate")
        elif not value.strip():
            self.fault(field, "is required")
        elif len(value) > most:
            self.fault(field, f"must have at most {most:,} characters; it has {len(value):,}")
        return value

    def sequence(self, field: str, value: int) -> int:
        """A place in a log, or 0 for before its beginning."""
        if not 0 <= value < MAX_SEQUENCE:
            self.fault(field, "must be 0 or more, and below 2^53")
            return 0
        return value

    def size(self, field: str, value: int, *, default: int, most: int) -> int:
        """How much to return: `default` if 0."""
        if not 0 <= value <= most:
            self.fault(field, f"must be 0 to {most:,}")
        return value or default

    def microdollars(self, field: str, value: int) -> int:
        if value < 0:
            self.fault(field, "must be 0 or more")
        return value

    def one_of(self, field: str, value: str, words: Collection[str]) -> str:
        """One of `words`, or empty."""
        if value and value not in words:
            self.fault(field, f"must be empty or one of {', '.join(words)}")
        return value
