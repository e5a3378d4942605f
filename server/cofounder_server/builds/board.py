"""The board: where waiting builds stand, read from Postgres and reckoned once for all who ask at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from cofounder_server import db
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plan, Plans
from cofounder_server.builds.forecasts import Accuracy, Forecasts
from cofounder_server.builds.line import UNLIMITED, Durations, Limits, Line, Reason, Running, Waiting
from cofounder_server.builds.model import State
from cofounder_server.builds.position import Correction, Place, survey
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds", "position.sql")

PAST_BUILDS = 300  # of each plan, the newest
HISTORY_SECONDS = 5.0  # after which past builds, limits and accuracy are read again
# Between two surveys lie this many times what the last one took, so that whoever asks cannot keep the server busy.
REST = 4.0


@dataclass(frozen=True, slots=True)
class Survey:
    """What the board said at a time, of those builds that somebody had asked about and that wait."""

    time: datetime
    # Everyone that was asked about, also those that do not wait.
    asked: frozenset[UUID]
    places: Mapping[UUID, Place]
    # When scheduled builds may start.
    start_after: Mapping[UUID, datetime]
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class _History:
    """What changes slowly."""

    read_at: float
    past: Durations
    limits: Mapping[str, Limits]
    accuracy: Accuracy


class Board:
    """Surveys the line for one process. Safe for any number of callers: those who ask at a time share a survey."""

    def __init__(self, pool: asyncpg.Pool, forecasts: Forecasts, clock: Clock) -> None:
        self._pool = pool
        self._forecasts = forecasts
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked: set[UUID] = set()
        self._survey: Survey | None = None
        self._surveyed_at = self._rests_until = 0.0
        self._history: _History | None = None
        # Waiting builds whose forecast stands already.
        self._told: set[UUID] = set()

    async def which_wait(self, build_ids: Collection[UUID]) -> set[UUID]:
        """Returns those of some builds that wait, by one cheap statement."""
        return {row["build_id"] for row in await self._pool.fetch(sql.which_wait, list(build_ids))}

    async def survey(self, build_ids: Collection[UUID], *, fresh_seconds: float) -> Survey:
        """Returns where builds stand, not longer ago than `fresh_seconds`; what builds are told first is recorded."""
        self._asked.update(build_ids)
        async with self._turn:
            time = asyncio.get_running_loop().time
            known = self._survey
            if known and time() - self._surveyed_at < fresh_seconds and known.asked.issuperset(build_ids):
                return known
            await asyncio.sleep(self._rests_until - time())
            asked, self._asked = frozenset(self._asked.union(build_ids)), set()
            begun = time()
            self._survey = await self._take(asked)
            self._surveyed_at = time()
            self._rests_until = self._surveyed_at + REST * (self._surveyed_at - begun)
            return self._survey

    async def _take(self, asked: frozenset[UUID]) -> Survey:
        now = self._clock.now()
        history = await self._read_history(now)
        rows = await self._pool.fetch(sql.list_line)
        slots = await self._pool.fetchval(sql.count_slots)
        line = _line(rows, history.limits, slots, now)
        # In a thread: while a long line is reckoned, events go on to be served.
        places = await asyncio.to_thread(survey, line, history.past, asked, history.accuracy.correction)
        await self._record(rows, places, history.accuracy.correction, now)
        scheduled = {row["build_id"]: row["start_after"] for row in rows if row["build_id"] in places}
        return Survey(
            time=now,
            asked=asked,
            places=places,
            start_after={build_id: time for build_id, time in scheduled.items() if time and time > now},
            accuracy=history.accuracy,
        )

    async def _read_history(self, now: datetime) -> _History:
        time = asyncio.get_running_loop().time()
        if self._history is None or time - self._history.read_at > HISTORY_SECONDS:
            past: dict[str, list[float]] = defaultdict(list)
            for row in await self._pool.fetch(sql.list_durations, PAST_BUILDS):
                past[row["plan_slug"]].append(row["seconds"])
            limits = _limits(await plans.read(self._pool))
            accuracy = await self._forecasts.accuracy(now=now)
            self._history = _History(time, Durations(past), limits, accuracy)
        return self._history

    async def _record(
        self, rows: list[asyncpg.Record], places: Mapping[UUID, Place], correction: Correction, now: datetime
    ) -> None:
        """Records forecasts that builds are given for the first time.

        Not of those that are about to start or wait for their day, nor of those that did start once before.
        """
        fresh = {row["build_id"] for row in rows if row["start_time"] is None}
        self._told &= fresh
        told = {
            build_id: place.estimate
            for build_id, place in places.items()
            if place.estimate and place.reason not in (Reason.NEXT, Reason.DAY_LIMIT)
            if build_id in fresh and build_id not in self._told
        }
        if told:
            await self._forecasts.record(told, correction, time=now)
            self._told |= told.keys()


def _limits(known: Plans) -> dict[str, Limits]:
    """Returns what each plan allows, as the queue's claims have it: "" is any plan that is not named."""
    return {slug: _allowed(known[slug]) for slug in ("", *known.slugs())}


def _allowed(plan: Plan) -> Limits:
    given = (plan.concurrent_user, plan.concurrent_project, plan.builds_a_day)
    return Limits(*(most if number < 0 else number for number, most in zip(given, UNLIMITED, strict=True)))


def _line(rows: list[asyncpg.Record], limits: Mapping[str, Limits], slots: int, now: datetime) -> Line:
    waiting, running = [], []
    for build_id, payer, project, plan, state, start_time, start_after in rows:
        if state in (State.QUEUED, State.SCHEDULED):
            due = max(0.0, (start_after - now).total_seconds()) if start_after else 0.0
            waiting.append(Waiting(build_id, payer, project, plan, due))
        else:
            age = max(0.0, (now - start_time).total_seconds()) if start_time else 0.0
            running.append(Running(build_id, payer, project, plan, age))
    return Line(waiting, running, limits, slots)
