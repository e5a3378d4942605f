"""What waiting builds were told about their start, how well that held, and what new forecasts learn from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple
from uuid import UUID

import asyncpg

from cofounder_server import db
from cofounder_server.builds.position import LATE, UNCORRECTED, Correction, Estimate

sql = db.queries("cofounder_server.builds", "position.sql")

JUDGED = 200  # the newest so many are looked at
# Fewer than this teach nothing; and no more is learnt from them than this, either way.
LEAST_LESSONS = 20
LEAST_FACTOR, MOST_FACTOR = 0.5, 4.0


class Judged(NamedTuple):
    """A forecast of which is known whether it was kept."""

    told: Estimate
    # What `told` had been multiplied by.
    correction: Correction
    # Seconds from the forecast to the start, or until now.
    waited: float
    started: bool


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of the newest forecasts that can be judged: how many, how many builds started before their `late`, and by how
    many seconds the median of them missed; None if there are none."""

    judged: int = 0
    kept: int = 0
    median_error: float | None = None
    # What the next ones must be multiplied by.
    correction: Correction = UNCORRECTED

    @property
    def share(self) -> float | None:
        """The share that was kept; nine in ten is what a forecast promises."""
        return self.kept / self.judged if self.judged else None


def judge(forecasts: Sequence[Judged]) -> Accuracy:
    """Returns how well forecasts held. Pure."""
    if not forecasts:
        return Accuracy()
    return Accuracy(
        judged=len(forecasts),
        kept=sum(each.started and each.waited <= each.told.late for each in forecasts),
        median_error=median(abs(each.waited - each.told.median) for each in forecasts),
        correction=_learn(forecasts),
    )


def _learn(forecasts: Sequence[Judged]) -> Correction:
    """Returns the factors with which half of `forecasts` would have started before the median, and nine in ten before
    `late`. A wait below a second says nothing of the next."""
    medians = sorted(e.waited / e.told.median * e.correction.median for e in forecasts if e.told.median > 1)
    lates = sorted(e.waited / e.told.late * e.correction.late for e in forecasts if e.told.late > 1)
    if min(len(medians), len(lates)) < LEAST_LESSONS:
        return UNCORRECTED
    found = medians[len(medians) // 2], lates[min(len(lates) - 1, math.ceil(LATE * len(lates)))]
    return Correction(*(min(MOST_FACTOR, max(LEAST_FACTOR, factor)) for factor in found))


class Forecasts:
    """The forecasts in one Postgres database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, estimates: Mapping[UUID, Estimate], correction: Correction, *, time: datetime) -> None:
        """Writes down what builds are told at `time`, `correction` included; a build's first forecast stands."""
        etas = [timedelta(seconds=estimate.median) for estimate in estimates.values()]
        lates = [timedelta(seconds=estimate.late) for estimate in estimates.values()]
        await self._pool.execute(sql.record_forecasts, list(estimates), time, etas, lates, *correction)

    async def accuracy(self, *, now: datetime) -> Accuracy:
        """Returns how well the newest 200 forecasts held."""
        return judge([_judged(row) for row in await self._pool.fetch(sql.judge_forecasts, JUDGED, now)])


def _judged(row: asyncpg.Record) -> Judged:
    return Judged(
        Estimate(row["eta"].total_seconds(), row["eta_late"].total_seconds()),
        Correction(row["median_factor"], row["late_factor"]),
        row["waited"].total_seconds(),
        row["started"],
    )
