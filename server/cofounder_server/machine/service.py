"""What the supervisor runs: one process that starts, becomes ready, ends, and can start again."""

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from cofounder_server.machine import folders, process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.process import Child

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.2


class Service(ABC):
    """One supervised process. `start` after an end starts it anew; `stop` may be called at any time and repeatedly.

    Subclasses say how it is launched and when it is ready.
    """

    stop_signal = signal.SIGTERM

    def __init__(self, name: str, *, log: Path, start_deadline: float = 60.0, stop_deadline: float = 10.0) -> None:
        """`log` gets stdout and stderr. `start_deadline` and `stop_deadline` are in seconds."""
        self.name = name
        self.log = log
        self._start_deadline = start_deadline
        self._stop_deadline = stop_deadline
        self._child: Child | None = None
        self._log_start = 0

    @abstractmethod
    async def _launch(self, output: int) -> Child:
        """Spawns the process with `output` as its stdout and stderr."""

    @abstractmethod
    async def _is_ready(self) -> bool:
        """Asks the running process once. Raises MachineError where waiting cannot help."""

    async def start(self) -> None:
        """Starts the process and returns when it is ready.

        Raises MachineError, with the last lines of its log, if it ends before or is not ready in time; then nothing
        of it is left running.
        """
        try:
            output = folders.open_log(self.log)
            try:
                self._log_start = os.fstat(output).st_size
                self._child = await self._launch(output)
            finally:
                os.close(output)
            await self._until_ready(self._child)
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Waits until the process that was started last ends; returns its exit code."""
        return await self._started().wait()

    async def stop(self) -> None:
        """Ends the process: `stop_signal`, then SIGKILL after the stop deadline."""
        if self._child is not None:
            await self._child.stop(self.stop_signal, deadline=self._stop_deadline)

    def kill(self) -> None:
        """Ends the process group at once. Does not wait."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self._started().pid

    def last_words(self) -> str:
        """Where the log is and its last lines since the last start, ready to follow a sentence."""
        lines = folders.last_lines(self.log, since=self._log_start)
        return f"Its last lines ({self.log}):\n{lines}" if lines else f"It wrote nothing to {self.log}."

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _started(self) -> Child:
        if self._child is None:
            raise MachineError(f"{self.name} was never started.")
        return self._child

    async def _until_ready(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._start_deadline
        pause = _FIRST_PAUSE
        ending = asyncio.ensure_future(child.wait())
        try:
            while not await self._is_ready():
                if loop.time() >= end:
                    raise MachineError(
                        f"{self.name} was not ready within {self._start_deadline:g} s. {self.last_words()}"
                    )
                await asyncio.wait({ending}, timeout=pause)
                if ending.done():
                    how = process.describe_exit(ending.result())
                    raise MachineError(f"{self.name} ended before it was ready ({how}). {self.last_words()}")
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        finally:
            ending.cancel()
