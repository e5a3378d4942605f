"""The one way out of a socket: a write at a time, each under a deadline, and a bound on what waits."""

import asyncio
from collections.abc import Awaitable, Callable

from cofounder_gateway.frames import Frame


class TooSlow(Exception):
    """The socket did not take its bytes in time, or too many wait for it (C-8)."""


class Outbox:
    """Serialises the writes of one socket.

    Whoever sends a batch makes it while holding the outbox, so that what piled up behind a slow socket goes as one
    frame, and a socket holds at most one batch besides what `max_pending_bytes` bounds.
    """

    def __init__(
        self,
        write: Callable[[Frame], Awaitable[None]],
        unsent: Callable[[], int],
        *,
        write_deadline: float,
        max_pending_bytes: int,
    ) -> None:
        """Makes an outbox.

        Args:
            write: waits for room in the transport, then hands it the frame; cancelled while it waits, it has
                handed over nothing.
            unsent: how many bytes the transport still holds.
            write_deadline: seconds in which the transport must get rid of at least something.
            max_pending_bytes: of ready-made frames that wait for their turn.
        """
        self._write = write
        self._unsent = unsent
        self._write_deadline = write_deadline
        self._max_pending_bytes = max_pending_bytes
        self._turn = asyncio.Lock()
        self._pending_bytes = 0
        self.last_sent = asyncio.get_running_loop().time()

    async def send(self, frame: Frame) -> None:
        """Sends a frame in its turn. Raises TooSlow."""
        self._pending_bytes += len(frame)
        try:
            if self._pending_bytes > self._max_pending_bytes:
                raise TooSlow("too many bytes wait for it")
            async with self._turn:
                await self._put(frame)
        finally:
            self._pending_bytes -= len(frame)

    async def send_made(self, make: Callable[[], Frame | None]) -> None:
        """Sends what `make` returns when the socket is free for it; None for nothing. Raises TooSlow."""
        async with self._turn:
            if (frame := make()) is not None:
                await self._put(frame)

    async def _put(self, frame: Frame) -> None:
        unsent = self._unsent()
        while True:
            try:
                async with asyncio.timeout(self._write_deadline):
                    await self._write(frame)
            except TimeoutError:
                # A deadline for progress, not for the frame: a thin line is slow, only a stuck one is too slow.
                if (left := self._unsent()) >= unsent:
                    raise TooSlow("it takes no bytes") from None
                unsent = left
            else:
                self.last_sent = asyncio.get_running_loop().time()
                return
