"""What is done to a victim, and how it comes back: killed, stopped past its lease, or asked to end."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from cofounder_server.machine.service import Service
from cofounder_testkit.house import LEASE_SECONDS

SIGNALS = {"kill9": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}
# How long a stopped victim lies beyond its lease: long enough for a sweeper to have looked.
BEYOND_SECONDS = 1.0
# How long one that was asked to end may wait for others to leave before it is told that they will not.
PATIENCE_SECONDS = 0.3
LOOK_AGAIN_SECONDS = 0.02


class Deed:
    """One deed to one victim. `strike`, then `mend`.

    Args:
        name: One of `SIGNALS`.
    """

    def __init__(self, name: str, victim: Service) -> None:
        self._signal = SIGNALS[name]
        self._victim = victim
        self._pid = victim.pid
        self._struck = 0.0

    def strike(self) -> None:
        """Does it, at once."""
        self._struck = time.monotonic()
        self._send(self._signal)

    async def mend(self) -> None:
        """Returns once the victim goes on (one that was stopped) or another stands in its place."""
        if self._signal is signal.SIGSTOP:
            await asyncio.sleep(self._struck + LEASE_SECONDS + BEYOND_SECONDS - time.monotonic())
            self._send(signal.SIGCONT)
            return
        if self._signal is signal.SIGTERM:
            await self._insist()
        await self._replaced()

    async def _insist(self) -> None:
        """Postgres, asked by SIGTERM, waits until its clients leave: then it is asked as a supervisor asks."""
        try:
            await asyncio.wait_for(self._replaced(), PATIENCE_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, self._victim.stop_signal)

    async def _replaced(self) -> None:
        while self._victim.pid == self._pid:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def _send(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)
        # A server whose clients are served by its children is stopped only with them.
        if number in (signal.SIGSTOP, signal.SIGCONT):
            for child in children(self._pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)


def children(pid: int) -> list[int]:
    """Returns the processes whose parent is `pid`."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return found
