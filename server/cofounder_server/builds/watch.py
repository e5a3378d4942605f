"""The watch: one loop from a cursor that serves history and what happens now, and cannot miss an event.

The log is the truth; the wire and the poll only say that there is more. A reader is subscribed before it reads, so
what is committed while it reads is either in what it read or on the wire; and every watched head is polled, so that a
lost message costs at most a poll.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from uuid import UUID

import redis.asyncio as redis
import structlog

from cofounder_server import db, errors, tasks
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Head, Stretch
from cofounder_server.builds.tail import Tail
from cofounder_server.builds.wire import Receiver

logger = structlog.get_logger(__name__)


class Watches:
    """All the watches of one process: one tail a build, one connection to Redis, one poll for all.

    Args:
        poll_seconds: How long a lost wake-up may go unnoticed.
    """

    def __init__(self, log: Log, client: redis.Redis, *, poll_seconds: float = 1.0) -> None:
        self._log = log
        self._receiver = Receiver(client, self._offer)
        self._poll_seconds = poll_seconds
        self._tails: dict[UUID, Tail] = {}
        # Who reads a tail or waits for it to be opened: when they are none, it is closed.
        self._readers: Counter[UUID] = Counter()
        self._opening: dict[UUID, asyncio.Task[Tail]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watches":
        await self._receiver.__aenter__()
        self._poller = asyncio.create_task(self._poll(), name="head poll")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._poller is not None
        self._poller.cancel()
        await asyncio.gather(self._poller, return_exceptions=True)
        await self._receiver.__aexit__()

    async def ended(self) -> None:
        """Returns once it is closed. Raises RuntimeError if its poll ended: a lost wake-up would then be for ever."""
        assert self._poller is not None
        await tasks.ended(self._poller)

    async def admit(self, build_id: UUID, after: int) -> Head:
        """Returns where the log stands, if it can be watched after `after`.

        Raises:
            NotFound: There is no such build.
            SequenceInFuture: The log ends before the cursor.
            EventsCompacted: The log begins behind the cursor.
        """
        head = await self._log.head(build_id)
        if head is None:
            raise errors.NotFound("build", str(build_id))
        if after > head.head:
            raise errors.SequenceInFuture(build_id=str(build_id), last_sequence=head.head)
        if after < head.oldest - 1:
            raise errors.EventsCompacted(build_id=str(build_id), oldest_sequence=head.oldest)
        return head

    @contextlib.asynccontextmanager
    async def listen(self, build_id: UUID, on_change: Callable[[UUID], None]) -> AsyncIterator[Tail]:
        """Gives the build's tail and calls `on_change` whenever it grows. It must not block."""
        self._readers[build_id] += 1
        try:
            tail = await self._enter(build_id)
            tail.listeners.add(on_change)
            try:
                yield tail
            finally:
                tail.listeners.discard(on_change)
        finally:
            self._readers[build_id] -= 1
            if not self._readers[build_id]:
                del self._readers[build_id]
                # Shielded by a task of its own: a cancelled reader must not leave a subscription behind.
                await asyncio.shield(asyncio.ensure_future(self._close_unread(build_id)))

    def watched(self) -> Mapping[UUID, Tail]:
        """Returns the tails that somebody listens to and that are not over."""
        return {build_id: tail for build_id, tail in self._tails.items() if tail.listeners and not tail.over}

    async def follow(self, build_id: UUID, *, after: int, progress_seconds: float) -> AsyncIterator[Stretch]:
        """Yields everything after `after`, in order, once; ends after the terminal event.

        When nothing happens for `progress_seconds`, yields an empty stretch that carries the cursor; so it does when
        there is only a new view, and of several that came while the reader was busy it yields the newest. The iterator
        holds no lock and no connection while its reader is busy; what it holds in memory is one stretch.
        """
        changed = asyncio.Event()
        async with self.listen(build_id, lambda _: changed.set()) as tail:
            # The view that was announced when one was shown last.
            cursor, shown = after, None
            while True:
                changed.clear()
                view, announced = tail.view, tail.announced
                stretch = tail.after(cursor)
                if stretch is None:
                    stretch = await self._log.read(build_id, after=cursor)
                # Beside the newest event only: with an old one, a view of now would make no sense.
                if announced is shown or stretch.over or stretch.last < tail.head:
                    view = None
                if stretch.body or view is not None:
                    cursor, shown = stretch.last, announced if view is not None else shown
                    yield stretch if view is None else replace(stretch, view=view)
                if stretch.over:
                    return
                if stretch.body or view is not None:
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), progress_seconds)
                except TimeoutError:
                    yield Stretch(build_id, cursor, cursor, b"", over=False)

    async def _enter(self, build_id: UUID) -> Tail:
        """Returns the build's tail, subscribed; those who enter at once share one subscription."""
        opening = self._opening.get(build_id)
        if opening is None and build_id in self._tails:
            return self._tails[build_id]
        if opening is None:
            opening = self._opening[build_id] = asyncio.create_task(self._open(build_id), name="open tail")
        # The opening belongs to all who wait for it: one who is cancelled must not cancel it.
        return await asyncio.shield(opening)

    async def _open(self, build_id: UUID) -> Tail:
        tail = self._tails[build_id] = Tail(build_id)
        try:
            # First the subscription, then the head: what is committed in between arrives over the wire.
            await self._receiver.subscribe(build_id)
            head = await self._log.head(build_id)
        except BaseException:
            del self._opening[build_id]
            await self._close(build_id)
            raise
        if head is not None:
            tail.learn(head.head, head.sealed)
        del self._opening[build_id]
        await self._close_unread(build_id)
        return tail

    async def _close_unread(self, build_id: UUID) -> None:
        """Closes a tail that nobody reads. One that is being opened looks after itself, at the end of that."""
        if build_id not in self._readers and build_id not in self._opening:
            await self._close(build_id)

    async def _close(self, build_id: UUID) -> None:
        if self._tails.pop(build_id, None) is not None:
            await self._receiver.unsubscribe(build_id)

    def _offer(self, stretch: Stretch) -> None:
        if tail := self._tails.get(stretch.build_id):
            tail.offer(stretch)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            watched = [build_id for build_id, tail in self._tails.items() if not tail.over]
            if not watched:
                continue
            try:
                heads = await self._log.heads(watched)
            except db.UNREACHABLE as fault:
                logger.warning("heads could not be polled", fault=type(fault).__name__)
                continue
            for build_id, (head, sealed) in heads.items():
                if tail := self._tails.get(build_id):
                    tail.learn(head, sealed)
