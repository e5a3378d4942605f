"""Holding programs at the failpoints of one folder (see `cofounder_server.testing.failpoints`, `hold`)."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cofounder_server.testing.failpoints import HOLD, MOMENTS

LOOK_AGAIN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Held:
    """A process that waits at a moment."""

    moment: str
    pid: int
    file: Path

    def release(self) -> None:
        """Lets it go on. May be called again."""
        self.file.unlink(missing_ok=True)


class Holds:
    """The folder that all programs of a house look at."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder

    @property
    def failpoints(self) -> str:
        """What arms a program: every moment there is may hold it."""
        return ",".join(f"{moment}={HOLD}:{self._folder}" for moment in MOMENTS)

    def want(self, moment: str) -> None:
        """Has the next process that reaches the moment wait there."""
        (self._folder / moment).touch()

    def held(self) -> list[Held]:
        """Returns who waits now, and where."""
        found = (file.name.rpartition(".") for file in self._folder.iterdir())
        return [Held(moment, int(pid), self._folder / f"{moment}.{pid}") for moment, _, pid in found if pid.isdigit()]

    async def catch(self, moment: str, *, pids: Callable[[], Collection[int]], nth: int = 1) -> Held:
        """Waits until one of these processes is held at the moment, at its n-th time from now; others pass."""
        self.want(moment)
        while True:
            for held in [held for held in self.held() if held.moment == moment]:
                if held.pid in pids() and nth == 1:
                    return held
                nth -= held.pid in pids()
                # Wanted again before this one goes on: it may be the next to come.
                self.want(moment)
                held.release()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def gather(self, moment: str, *, pids: Callable[[], Collection[int]], least: int) -> list[Held]:
        """Waits until so many of these processes are held at the moment; one that comes later is held there, too."""
        while True:
            self.want(moment)
            found = [held for held in self.held() if held.moment == moment and held.pid in pids()]
            if len(found) >= least:
                return found
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def clear(self) -> None:
        """Lets everybody go on, and holds nobody more."""
        for file in self._folder.iterdir():
            file.unlink(missing_ok=True)
