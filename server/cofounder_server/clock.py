"""Time, as something that is handed in: the wall's, or a virtual one that moves only when told."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the time is, and waiting for it to pass."""

    def now(self) -> datetime:
        """Returns the time in UTC, in whole microseconds."""

    async def sleep(self, seconds: float) -> None:
        """Returns once `seconds` have passed."""


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that jumps to the next sleeper's time as soon as everybody sleeps.

    Whoever sleeps on it is woken in the order of their times, so a scripted stream
    runs at once and always alike.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), sleeper))
        loop.call_soon(self._wake_next)
        await sleeper

    def _wake_next(self) -> None:
        while self._sleepers:
            time, _, sleeper = heapq.heappop(self._sleepers)
            self._now = max(self._now, time)
            if not sleeper.cancelled():
                sleeper.set_result(None)
                return
