"""The use of today, followed: one look a second for all followers of a process, and news where something changed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress

import asyncpg
import structlog

from cofounder_server import db, tasks
from cofounder_server.clock import Clock
from cofounder_server.usage import today
from cofounder_server.usage.today import Use

logger = structlog.get_logger(__name__)

WATCH_SECONDS = 1.0


class UsageWatches:
    """Looks at the use of everybody who is followed, in one statement every `watch_seconds`, while anybody is."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, watch_seconds: float = WATCH_SECONDS) -> None:
        self._pool = pool
        self._clock = clock
        self._watch_seconds = watch_seconds
        self._readers: defaultdict[str, set[_Reader]] = defaultdict(set)
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "UsageWatches":
        self._ticker = asyncio.create_task(self._tick(), name="usage watches")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ticker is not None
        await tasks.stop(self._ticker)

    async def read(self, user_id: str) -> Sequence[Use]:
        """Returns a user's use of today as it is."""
        return (await today.read(self._pool, [user_id], self._clock.now()))[user_id]

    async def follow(self, user_id: str, *, progress_seconds: float) -> AsyncIterator[Sequence[Use]]:
        """Yields a user's use of today: as it is, then whenever it changed, and at least every `progress_seconds`.

        Between two pass `watch_seconds` or more, unless `progress_seconds` is less; what changed several times
        meanwhile comes once, as it is then.
        """
        pace = min(self._watch_seconds, progress_seconds)
        with self._reading(user_id) as reader:
            # Read after the reader is there: what changes in between is in the one or in the next look.
            reader.show(await self.read(user_id))
            while True:
                yield reader.take()
                await self._clock.sleep(pace)
                await reader.news(seconds=progress_seconds - pace)

    async def refresh(self) -> None:
        """Looks once, at everybody who is followed."""
        if not self._readers:
            return
        found = await today.read(self._pool, list(self._readers), self._clock.now())
        for user_id, uses in found.items():
            for reader in self._readers.get(user_id, ()):
                reader.show(uses)

    @contextmanager
    def _reading(self, user_id: str) -> "Iterator[_Reader]":
        reader = _Reader()
        self._readers[user_id].add(reader)
        try:
            yield reader
        finally:
            self._readers[user_id].discard(reader)
            if not self._readers[user_id]:
                del self._readers[user_id]

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(self._watch_seconds)
            try:
                await self.refresh()
            except db.UNREACHABLE as fault:
                logger.warning("usage could not be read", fault=type(fault).__name__)
            except Exception:
                # A fault of ours, which the next look may not meet. Whoever follows sees what they saw.
                logger.exception("usage could not be read")


class _Reader:
    """What one follower has to see: the newest, and whether it was seen. Holds one value, however slow they are."""

    def __init__(self) -> None:
        self._newest: Sequence[Use] = ()
        self._taken: Sequence[Use] = ()
        self._news = asyncio.Event()

    def show(self, uses: Sequence[Use]) -> None:
        self._newest = uses
        if uses != self._taken:
            self._news.set()

    def take(self) -> Sequence[Use]:
        self._taken = self._newest
        self._news.clear()
        return self._taken

    async def news(self, *, seconds: float) -> None:
        """Returns once there is something new, or after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
