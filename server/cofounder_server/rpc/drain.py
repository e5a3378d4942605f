"""The end of a server's life: streams are told to resume elsewhere, calls are let finish."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cofounder_server import errors

NUDGE_SECONDS = 0.5


class Drain:
    """Knows every call that runs, and ends the streams among them once draining begins."""

    def __init__(self) -> None:
        self.begun = False
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # The tasks that run streams, with how often each was cancelled by us and not by its client.
        self._streams: Counter[asyncio.Task[object]] = Counter()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Counts a call until the block ends.

        Raises:
            ServerDraining: Draining has begun, so no call is taken any more.
        """
        if self.begun:
            raise errors.ServerDraining
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Lets the task's block run until draining begins.

        Raises:
            ServerDraining: It has begun. A cancellation by anybody else passes as what it is.
        """
        task = asyncio.current_task()
        assert task is not None
        self._streams[task] = 0
        try:
            yield
        except asyncio.CancelledError:
            ours = self._streams[task]
            left = [task.uncancel() for _ in range(ours)]
            if not ours or left[-1]:
                raise
            raise errors.ServerDraining from None
        finally:
            del self._streams[task]

    async def finish(self, *, seconds: float) -> None:
        """Begins draining; returns when no call runs any more, or after `seconds`."""
        self.begun = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._calls:
                    self._cancel_streams()
                    await self._wait_idle()

    def _cancel_streams(self) -> None:
        for task in tuple(self._streams):
            self._streams[task] += 1
            task.cancel()

    async def _wait_idle(self) -> None:
        """Waits a while only: `asyncio.wait_for` may lose a cancellation that meets its result; then we ask again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NUDGE_SECONDS):
                await self._idle.wait()
