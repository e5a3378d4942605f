"""What waiting builds were told about their start, and how well that held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from cofounder_server import db
from cofounder_server.builds.position import Estimate

sql = db.queries("cofounder_server.builds", "position.sql")

JUDGED = 200  # the newest so many are looked at


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of the newest forecasts that can be judged: how many, how many builds started before their `late`, and by how
    many seconds the median of them missed; None if there are none."""

    judged: int
    kept: int
    median_error: float | None

    @property
    def share(self) -> float | None:
        """The share that was kept; nine in ten is what a forecast promises."""
        return self.kept / self.judged if self.judged else None


class Forecasts:
    """The forecasts in one Postgres database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, estimates: Mapping[UUID, Estimate], *, time: datetime) -> None:
        """Writes down what builds are told at `time`; a build's first forecast stands."""
        etas = [timedelta(seconds=estimate.median) for estimate in estimates.values()]
        lates = [timedelta(seconds=estimate.late) for estimate in estimates.values()]
        await self._pool.execute(sql.record_forecasts, list(estimates), time, etas, lates)

    async def accuracy(self, *, now: datetime) -> Accuracy:
        """Returns how well the newest 200 forecasts held."""
        return Accuracy(**await self._pool.fetchrow(sql.judge_forecasts, JUDGED, now))
