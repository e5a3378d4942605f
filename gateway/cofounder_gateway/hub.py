"""The builds that somebody watches here: each followed once, however many watch it (C-13)."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator

import structlog
from google.rpc import code_pb2

from cofounder.gateway.v1 import relay_service_pb2 as relay_pb
from cofounder_gateway import settings, upstream
from cofounder_gateway.feed import Feed
from cofounder_gateway.relay import Relay
from cofounder_gateway.ring import Stretch

_log = structlog.get_logger(__name__)
# History that watchers who joined together read one after the other; full reads only, which never change.
_HISTORY_READS = 8
_REFOLLOW_SECONDS = 1.0


class Hub:
    """Feeds by build. The first watcher of a build has it followed, the last lets it go after a linger."""

    def __init__(self, server: upstream.Upstream, config: settings.Settings) -> None:
        self._server = server
        self._config = config
        self._feeds: dict[str, Feed] = {}
        self._watchers: dict[str, int] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._reads: dict[tuple[str, int], asyncio.Task[Stretch]] = {}
        self._history: dict[str, OrderedDict[int, Stretch]] = {}
        self.relay = Relay(
            server.relay,
            self._receive,
            first_delay=config.reconnect_seconds,
            highest_delay=config.reconnect_max_seconds,
        )

    async def run(self) -> None:
        """Carries the relay until cancelled."""
        try:
            await self.relay.run()
        finally:
            for timer in self._leaving.values():
                timer.cancel()
            for read in self._reads.values():
                read.cancel()

    @contextlib.asynccontextmanager
    async def follow(self, build_id: str) -> AsyncIterator[Feed]:
        """Holds a build's feed for one watcher, whom the server has admitted."""
        if timer := self._leaving.pop(build_id, None):
            timer.cancel()
        feed = self._feeds.get(build_id)
        if feed is None or feed.refusal is not None:
            feed = self._open(build_id)
        self._watchers[build_id] = self._watchers.get(build_id, 0) + 1
        try:
            yield feed
        finally:
            self._watchers[build_id] -= 1
            if not self._watchers[build_id]:
                del self._watchers[build_id]
                loop = asyncio.get_running_loop()
                self._leaving[build_id] = loop.call_later(self._config.linger_seconds, self._close, build_id)

    async def read_log(self, build_id: str, cursor: int) -> Stretch:
        """Reads the log after `cursor`, about one frame of it; concurrent reads of the same are one.

        Returns:
            An empty stretch at the log's end.

        Raises:
            upstream.Refused: the server refused, or could not be reached.
        """
        history = self._history.get(build_id)
        if history is not None and cursor in history:
            history.move_to_end(cursor)
            return history[cursor]
        key = (build_id, cursor)
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = asyncio.create_task(self._read(build_id, cursor), name="read log")
            read.add_done_callback(lambda done: self._forget_read(key, done))
        # The read belongs to all who wait for it: one who is cancelled must not cancel it.
        await asyncio.wait([read])
        return read.result()

    def _forget_read(self, key: tuple[str, int], done: "asyncio.Task[Stretch]") -> None:
        self._reads.pop(key, None)
        if not done.cancelled():
            done.exception()

    async def _read(self, build_id: str, cursor: int) -> Stretch:
        response = await self._server.read_log(build_id, after=cursor, max_bytes=self._config.max_batch_bytes)
        if response.stretch.HasField("error"):
            raise upstream.Refused(response.stretch.error)
        stretch = _stretch(response.stretch)
        if (feed := self._feeds.get(build_id)) is not None:
            feed.recall(stretch)
        history = self._history.get(build_id)
        # One that reached the head may be longer the next time; one that did not is what it will always be.
        if history is not None and cursor < stretch.last < response.head_sequence:
            history[cursor] = stretch
            while len(history) > _HISTORY_READS:
                history.popitem(last=False)
        return stretch

    def _open(self, build_id: str) -> Feed:
        feed = Feed(build_id, ring_bytes=self._config.ring_bytes, max_batch_bytes=self._config.max_batch_bytes)
        self._feeds[build_id] = feed
        self._history[build_id] = OrderedDict()
        self.relay.follow(build_id)
        return feed

    def _close(self, build_id: str) -> None:
        del self._leaving[build_id]
        del self._feeds[build_id]
        del self._history[build_id]
        self.relay.unfollow(build_id)

    def _receive(self, response: relay_pb.RelayBuildsResponse) -> None:
        for stretch in response.stretches:
            feed = self._feeds.get(stretch.build_id)
            if feed is not None and stretch.HasField("error"):
                self._lose(feed, upstream.Refused(stretch.error))
            elif feed is not None:
                feed.take(_stretch(stretch))
        for view in response.views:
            if (feed := self._feeds.get(view.build_id)) is not None:
                feed.show(view.view)

    def _lose(self, feed: Feed, refused: upstream.Refused) -> None:
        _log.warning("build not followed", build=feed.build_id, code=code_pb2.Code.Name(refused.status.code))
        if refused.unreached or refused.faulty:
            asyncio.get_running_loop().call_later(_REFOLLOW_SECONDS, self._refollow, feed)
        else:
            feed.refuse(refused.status)

    def _refollow(self, feed: Feed) -> None:
        if self._feeds.get(feed.build_id) is feed:
            self.relay.follow(feed.build_id)


def _stretch(wire: relay_pb.Stretch) -> Stretch:
    return Stretch.of(after=wire.after_sequence, last=wire.last_sequence, events=wire.events, over=wire.over)
