"""One user per data folder: a lock that lives exactly as long as any process that inherited it."""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cofounder_server.machine import process
from cofounder_server.machine.failure import MachineError

_LOOK_AGAIN = 0.05


class FolderLock:
    """An flock on a file, with the holder's name in it.

    Children that inherit `fileno()` share the lock. So when a parent is killed, the lock stays held until the last of
    its children is gone, and whoever comes next waits for exactly that and never works beside them.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        """`what` names the guarded thing in errors, e.g. "the Postgres data in /x"."""
        self._path = path
        self._what = what
        self._name = secrets.token_hex(8)
        self._descriptor: int | None = None

    def fileno(self) -> int:
        if self._descriptor is None:
            raise MachineError(f"The lock on {self._what} is not held.")
        return self._descriptor

    async def acquire(self, *, deadline: float, waiting: Callable[[], None] | None = None) -> None:
        """Takes the lock.

        A holder that is alive is an error at once. What a dead holder (or an earlier turn of this same lock) left
        running gets `deadline` seconds to end; `waiting` is called once if that is needed. A second call while the
        lock is held here does nothing.
        """
        if self._descriptor is not None:
            return
        descriptor = self._open()
        try:
            await self._wait_for(descriptor, deadline, waiting)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {self._name}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Closes our hold; children that inherited the lock keep it. May be called any number of times."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MachineError(
                f"{self._path} cannot be opened ({error.strerror}), so {self._what} cannot be used safely. "
                "Set COFOUNDER_DATA to a folder that you may write to."
            ) from error

    async def _wait_for(self, descriptor: int, deadline: float, waiting: Callable[[], None] | None) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while not _try_lock(descriptor):
            holder = self._living_holder(descriptor)
            if holder is not None:
                raise MachineError(
                    f"Process {holder} is already using {self._what}, and two at once would damage it. "
                    "Stop that one first, or set COFOUNDER_DATA to another folder."
                )
            if loop.time() >= end:
                raise MachineError(
                    f"Something that an earlier run left behind still uses {self._what} after {deadline:g} s. "
                    f"See who has {self._path} open (lsof, fuser), end it, and start again."
                )
            if waiting is not None:
                waiting()
                waiting = None
            await asyncio.sleep(_LOOK_AGAIN)

    def _living_holder(self, descriptor: int) -> int | None:
        pid, _, name = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip().partition(" ")
        if not pid.isdigit() or name == self._name or not process.is_alive(int(pid)):
            return None
        return int(pid)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
