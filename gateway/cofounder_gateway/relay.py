"""The one stream from the server that carries all builds of this gateway, opened again whenever it breaks."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from google.rpc import code_pb2

from cofounder.gateway.v1 import relay_service_pb2 as relay_pb
from cofounder_gateway import upstream
from cofounder_gateway.backoff import Backoff

_log = structlog.get_logger(__name__)
# A request stays far below the server's message limit, however many builds are followed.
_BUILDS_A_REQUEST = 500


class Relay:
    """Follows builds over one `RelayBuilds`, and follows all of them again after each break.

    What was missed meanwhile shows as a gap between the stretches before and after: whoever takes them must read
    the log where one does not continue the other.
    """

    def __init__(
        self,
        connect: Callable[[], upstream.RelayStream],
        receive: Callable[[relay_pb.RelayBuildsResponse], None],
        *,
        first_delay: float,
        highest_delay: float,
    ) -> None:
        self._connect = connect
        self._receive = receive
        self._backoff = Backoff(first_delay, highest_delay)
        self._followed: dict[str, None] = {}
        # In order, so that a build let go and taken up again at once is still acknowledged anew.
        self._changes: deque[tuple[str, bool]] = deque()
        self._changed = asyncio.Event()
        # Why the stream is not there; None while it is, or before the first try.
        self.trouble: str | None = None

    def follow(self, build_id: str) -> None:
        self._followed[build_id] = None
        self._change(build_id, True)

    def unfollow(self, build_id: str) -> None:
        self._followed.pop(build_id, None)
        self._change(build_id, False)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._carry()
                self.trouble = said = "UNAVAILABLE"
            except upstream.Refused as refused:
                self.trouble, said = code_pb2.Code.Name(refused.status.code), str(refused)
            delay = self._backoff.next()
            _log.warning("relay lost", said=said, retry_seconds=round(delay, 3), builds=len(self._followed))
            await asyncio.sleep(delay)

    async def _carry(self) -> None:
        stream = self._connect()
        self._changes = deque((build_id, True) for build_id in self._followed)
        self._changed.set()
        writer = asyncio.create_task(self._write(stream), name="relay writer")
        # Without its writer a stream would carry what it carries and never anything new.
        writer.add_done_callback(lambda _: stream.cancel())
        try:
            async for response in stream:
                self.trouble = None
                self._backoff.reset()
                self._receive(response)
        finally:
            stream.cancel()
            writer.cancel()
            # Gathered, not awaited under a suppress: a cancellation of ours that comes now must get through.
            (failure,) = await asyncio.gather(writer, return_exceptions=True)
            # A write is refused where the stream has ended, and its reader tells that already.
            if isinstance(failure, Exception) and not isinstance(failure, upstream.Refused):
                _log.error("relay writer failed", exc_info=failure)

    async def _write(self, stream: upstream.RelayStream) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._changes:
                await stream.follow(self._next_request())

    def _next_request(self) -> relay_pb.RelayBuildsRequest:
        request = relay_pb.RelayBuildsRequest()
        named: set[str] = set()
        while self._changes and len(named) < _BUILDS_A_REQUEST and self._changes[0][0] not in named:
            build_id, follow = self._changes.popleft()
            named.add(build_id)
            (request.follow_build_ids if follow else request.unfollow_build_ids).append(build_id)
        return request

    def _change(self, build_id: str, follow: bool) -> None:
        self._changes.append((build_id, follow))
        self._changed.set()
