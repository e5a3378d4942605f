"""The nouns of the log: a stretch of events as bytes, a head, a batch on its way in, and a build as a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from cofounder.runner.v1 import build_pb2
from cofounder.runner.v1.build_view_pb2 import BuildView


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
    # What is true just now, for a watch that was not shown it yet.
    view: BuildView | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands."""

    head: int
    oldest: int
    generation: int
    sealed: bool
    # A fork reads its parent's log up to `parent_through`.
    parent_id: UUID | None = None
    parent_through: int = 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd:
    """The end of a finished stage in a build's log: where another attempt may go on."""

    # Whose worker finished it: the build itself, or the one it was forked from.
    build_id: UUID
    sequence: int
    attempt: int
    stage: int
    iteration: int
    tree_hash: bytes


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

    def may_become(self, state: "State") -> bool:
        """Whether a build may go from this state to that one: the whole state machine is `NEXT`."""
        return state in NEXT[self]

    @property
    def wire(self) -> build_pb2.BuildState:
        state: build_pb2.BuildState = getattr(build_pb2, f"BUILD_STATE_{self.name}")
        return state


OVER = frozenset({State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED})

# In the hands of a worker, under its lease.
HELD = frozenset({State.STARTING, State.RUNNING})
# Waiting for a time, an answer or a person; holding nothing.
PARKED = frozenset({State.SCHEDULED, State.WAITING, State.PAUSED})

# What may follow each state. A worker that is lost or drains puts its build back into the queue; what is over stays.
NEXT: Mapping[State, frozenset[State]] = {
    State.SCHEDULED: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.STARTING, State.PAUSED, State.CANCELLED}),
    State.STARTING: frozenset({State.RUNNING, State.QUEUED, State.WAITING, State.PAUSED}) | OVER,
    State.RUNNING: frozenset({State.QUEUED, State.WAITING, State.PAUSED}) | OVER,
    State.WAITING: frozenset({State.QUEUED, State.PAUSED, State.PARTIAL, State.FAILED, State.CANCELLED}),
    State.PAUSED: frozenset({State.QUEUED, State.WAITING, State.CANCELLED}),
    **dict.fromkeys(OVER, frozenset()),
}

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
    # Whose plan it runs under and whose permits it takes.
    payer_id: str
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
    # The day whose allowance it takes; None once that was given back.
    count_day: date | None
    # When it joins the queue by itself, if it waits for a time.
    start_after: datetime | None
    lease_owner: str | None
    # Why the next attempt is not the first: a number of AttemptReason.
    attempt_reason: int
    create_time: datetime
    start_time: datetime | None
    finish_time: datetime | None
    # When it was given up after too many lost workers.
    dead_letter_time: datetime | None
