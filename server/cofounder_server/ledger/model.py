"""The nouns of the ledger: what is set aside for a call, what it came to, and what an admission says."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

UNLIMITED = -1
# The day of a counter that belongs to none: a build's.
NO_DAY = date(1970, 1, 1)


class Scope(StrEnum):
    """What a counter counts for. Their order is the order in which counters are locked."""

    BUILD = "build"
    GLOBAL = "global"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit that a call must fit into; `UNLIMITED` stands for none."""

    scope: Scope
    key: str
    day: date
    tokens: int = UNLIMITED
    microdollars: int = UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An attempt to have a model answer, and the most that it may come to."""

    ledger_id: UUID
    payer_id: str
    user_id: str
    project_id: UUID
    build_id: UUID | None
    stage: str
    role: str
    model: str
    attempt: int
    generation_id: str
    day: date
    price_version: str
    # What of `tokens` was counted for what the model is to read.
    counted_tokens: int
    tokens: int
    microdollars: int
    create_time: datetime
    expire_time: datetime


class Verdict(StrEnum):
    """What an admission says of one limit."""

    OK = "ok"
    # What is spent leaves no room until the limit's day is over, or the limit is raised.
    REACHED = "reached"
    # What others set aside leaves no room just now.
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit as an admission found it."""

    limit: Limit
    verdict: Verdict
    spent_tokens: int
    reserved_tokens: int
    spent_microdollars: int
    reserved_microdollars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a call came to."""

    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cost_microdollars: int
    estimated: bool
    platform_borne: bool
    outcome: str
    provider_request_id: str = ""

    @property
    def tokens(self) -> int:
        """Tokens of every kind."""
        read = self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return read + self.output_tokens


class Conflict(Exception):
    """An attempt that is closed already was to be closed otherwise. The first stands; somebody must look at it."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A counter as it stands."""

    spent_tokens: int = 0
    reserved_tokens: int = 0
    spent_microdollars: int = 0
    reserved_microdollars: int = 0
