"""One watcher of a build: a cursor over its feed, and over its log where the feed does not reach."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from google.rpc import status_pb2

from cofounder_gateway import frames, statuses, upstream
from cofounder_gateway.backoff import Backoff
from cofounder_gateway.feed import Feed
from cofounder_gateway.outbox import Outbox
from cofounder_gateway.ring import Stretch

# Failures of the server in a row, other than being out of reach, after which a watch gives up and says so.
_MOST_FAULTS = 6


class ReadLog(Protocol):
    """As `Hub.read_log`."""

    def __call__(self, build_id: str, cursor: int, /) -> Awaitable[Stretch]: ...


class Watcher:
    """Sends a build's events after a cursor, each once and in order, and never more than the socket can take."""

    def __init__(
        self,
        watch_id: int,
        feed: Feed,
        *,
        cursor: int,
        head: int,
        codec: frames.Codec,
        outbox: Outbox,
        read_log: ReadLog,
        min_interval: float,
        progress: float,
        max_batch_bytes: int,
    ) -> None:
        """Makes a watcher.

        Args:
            head: the newest event when the watcher was admitted; the log holds everything up to it.
            min_interval: seconds between two batches, at least.
            progress: seconds after which a quiet watch is sent its cursor.
        """
        self.cursor = cursor
        self._watch_id = watch_id
        self._feed = feed
        self._head = head
        self._codec = codec
        self._outbox = outbox
        self._read_log = read_log
        self._min_interval = min_interval
        self._progress = progress
        self._max_batch_bytes = max_batch_bytes
        self._loop = asyncio.get_running_loop()
        self._view_seen = 0
        self._over = False
        self._suspended = False
        self._backoff = Backoff(0.05, 2.0)
        self._faults = 0
        # The first batch is due at once: it tells the browser that it is watching.
        self._sent_at = self._loop.time() - max(progress, min_interval)

    async def run(self) -> status_pb2.Status:
        """Sends until the watch is over and returns why: OK after the terminal event. Raises outbox.TooSlow."""
        while True:
            signal = self._feed.signal()
            if self._feed.refusal is not None:
                return self._feed.refusal
            if self._over or self._feed.finished(self.cursor):
                return statuses.OK
            if self._suspended:
                await self._rest(signal)
            elif self._needs_log():
                if (refusal := await self._catch_up()) is not None:
                    return refusal
            elif self._feed.news(self.cursor, self._view_seen):
                await self._send(self._live)
            else:
                await self._rest(signal)

    def suspend(self, suspended: bool) -> None:
        """Holds events back while nobody can say whether the watcher may still see them."""
        if suspended != self._suspended:
            self._suspended = suspended
            self._feed.wake()

    def _needs_log(self) -> bool:
        if self._feed.ring.base is None:
            return self.cursor < self._head
        return not self._feed.ring.holds(self.cursor)

    async def _catch_up(self) -> status_pb2.Status | None:
        try:
            stretch = await self._read_log(self._feed.build_id, self.cursor)
            self._faults = 0
            await self._send_stretch(stretch)
        except upstream.Refused as refused:
            self._faults += not refused.unreached
            if not (refused.unreached or refused.faulty) or self._faults >= _MOST_FAULTS:
                return refused.status
            await self._retry()
        return None

    async def _send_stretch(self, stretch: Stretch) -> None:
        if stretch.last <= self.cursor:
            # At the log's end, as far as this server can see.
            self._over = stretch.over
            if not self._over:
                await self._retry()
            return
        self._backoff.reset()
        while self.cursor < stretch.last and not self._suspended:
            part = stretch.following(self.cursor, max_bytes=self._max_batch_bytes)
            await self._send(lambda part=part: self._historic(part))  # type: ignore[misc]
        self._over = stretch.over and self.cursor == stretch.last

    async def _retry(self) -> None:
        if self._due() <= 0:
            await self._send(self._quiet)
        await asyncio.sleep(self._backoff.next())

    async def _rest(self, signal: "asyncio.Future[None]") -> None:
        done, _ = await asyncio.wait([signal], timeout=max(0.0, self._due()))
        if not done:
            await self._send(self._quiet)

    def _due(self) -> float:
        return self._sent_at + self._progress - self._loop.time()

    async def _send(self, make: Callable[[], frames.Frame | None]) -> None:
        # Also where there is no interval to keep, another's turn comes between two batches.
        await asyncio.sleep(max(0.0, self._sent_at + self._min_interval - self._loop.time()))
        await self._outbox.send_made(make)
        self._sent_at = self._loop.time()

    def _live(self) -> frames.Frame | None:
        # Made when the socket is free for it: the feed may have moved on, or past what the ring holds.
        if self._suspended or not self._feed.ring.holds(self.cursor):
            return None
        body, through = self._feed.body(self._codec, self.cursor, self._view_seen)
        self.cursor, self._view_seen = through, self._feed.view_version
        return self._codec.batch(self._watch_id, body)

    def _historic(self, part: Stretch) -> frames.Frame | None:
        if self._suspended:
            return None
        body = self._codec.body([part.piece], through_sequence=part.last, view=None)
        self.cursor = part.last
        return self._codec.batch(self._watch_id, body)

    def _quiet(self) -> frames.Frame:
        return self._codec.batch(self._watch_id, self._codec.body([], through_sequence=self.cursor, view=None))
