"""The nouns of the log: a stretch of events as bytes, a head, a batch on its way in, and a build as a job."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from cofounder.runner.v1 import build_pb2


@dataclass(frozen=True, slots=True)
class Stretch:
    """Contiguous events of a build: all those after `after`, up to `last`.

    `body` is `WatchBuildResponse.events` as it is encoded, tags included, so stretches that follow each other may be
    joined by joining their bodies. An empty `body` (then `after == last`) only says that nothing happened.
    """

    build_id: UUID
    after: int
    last: int
    body: bytes
    # True if `last` is the terminal event: nothing follows.
    over: bool


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands."""

    head: int
    oldest: int
    generation: int
    sealed: bool


class Verdict(StrEnum):
    """What became of an append; see the query `append`."""

    OK = "ok"
    BUSY = "busy"
    MOVED = "moved"
    FENCED = "fenced"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events on their way into a log, already numbered from `expected + 1` and encoded."""

    build_id: UUID
    append_id: UUID
    expected: int
    count: int
    body: bytes
    # The appender's fence; None for commands, which hold the head's lock instead.
    generation: int | None = None
    # True if the last event is terminal.
    seals: bool = False
    # The encoded fold of everything up to the batch's end, to be stored with it.
    snapshot: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, and where the log's head is now (0 where the verdict is busy)."""

    verdict: Verdict
    head: int


class State(StrEnum):
    """A build's states, as Postgres keeps them; see `BuildState` in the contract."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in OVER

    @property
    def wire(self) -> build_pb2.BuildState:
        state: build_pb2.BuildState = getattr(build_pb2, f"BUILD_STATE_{self.name}")
        return state


OVER = frozenset({State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED})

# The state that each terminal event leads to, by the event's field name.
TERMINAL = {
    "build_succeeded": State.SUCCEEDED,
    "build_partial": State.PARTIAL,
    "build_failed": State.FAILED,
    "build_cancelled": State.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A build as the queue and the worker know it: a row of `builds`."""

    build_id: UUID
    project_id: UUID
    creator_id: str
    goal: str
    plan_slug: str
    scenario: str
    budget_microdollars: int
    rehearsal: bool
    state: State
    priority: int
    attempt: int
    crashes: int
    generation: int
    cancel_user_id: str | None
    cancel_sequence: int | None
    create_time: datetime
    start_time: datetime | None
    finish_time: datetime | None
