"""The line of builds that wait, as of one moment: what a forecast is made from. Times are seconds."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

# Fewer past builds of a plan than this say too little: those of all plans stand in. If all are fewer, one that took
# half as long as the shortest and one that took twice as long as the longest are taken for seen: else the first
# build's luck would pass for certainty.
LEAST_PAST = 5


class Reason(IntEnum):
    """Why a build waits, numbered as `QueuePosition.Reason` is."""

    NEXT = 1
    USER_LIMIT = 2
    PROJECT_LIMIT = 3
    SYSTEM = 4
    DAY_LIMIT = 5


class Waiting(NamedTuple):
    """A build that holds no worker."""

    build_id: UUID
    # Whose permits it uses.
    payer_id: str
    project_id: UUID
    plan_slug: str
    # Seconds until it may start at the earliest; 0 unless it is scheduled.
    due: float = 0.0


class Running(NamedTuple):
    """A build that holds a worker and its permits."""

    build_id: UUID
    payer_id: str
    project_id: UUID
    plan_slug: str
    # Seconds since it started.
    age: float = 0.0


class Limits(NamedTuple):
    """What a plan allows: builds at once, of one payer and in one project, and builds a day."""

    user: int
    project: int
    day: int


# Nothing holds a build back but the workers.
UNLIMITED = Limits(2**31 - 1, 2**31 - 1, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Line:
    """Who waits, in the queue's order (priority, then id), who runs, and how many builds can run at once."""

    waiting: Sequence[Waiting]
    running: Sequence[Running]
    limits: Mapping[str, Limits]
    slots: int

    def limits_of(self, build: Waiting | Running) -> Limits:
        """Returns what holds for a build; "" stands for a plan that is not in the database (any more)."""
        return self.limits.get(build.plan_slug) or self.limits.get("", UNLIMITED)


class Durations:
    """How long past builds took, by plan, in seconds. False if there are none: then nothing can be foretold."""

    def __init__(self, past: Mapping[str, Sequence[float]]) -> None:
        seen = sorted(seconds for plan in past.values() for seconds in plan)
        self.pooled = [seen[0] / 2, *seen, seen[-1] * 2] if 0 < len(seen) < LEAST_PAST else seen
        self._by_plan = {slug: sorted(plan) for slug, plan in past.items() if len(plan) >= LEAST_PAST}

    def __bool__(self) -> bool:
        return bool(self.pooled)

    def of(self, plan_slug: str) -> Sequence[float]:
        """Returns what a build of the plan may take, shortest first."""
        return self._by_plan.get(plan_slug, self.pooled)

    def beyond(self, plan_slug: str, age: float) -> Sequence[float]:
        """Returns what a build of the plan that has run for `age` may still take, shortest first.

        One that has outlived all of its kind is expected to take as long again as any.
        """
        all_of_them = self.of(plan_slug)
        longer = all_of_them[bisect_right(all_of_them, age) :]
        return [seconds - age for seconds in longer] or all_of_them
