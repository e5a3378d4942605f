"""Failpoints: a process that dies, stops, or is held just before or just after a durable step (T-5).

`COFOUNDER_FAILPOINTS` arms them: `<step>.<before|after>=<action>[:<n>]`, separated by commas, where the action happens
the n-th time the step is reached (the first, if n is left out):

    log.append.after=crash          dies as by kill -9 when the first append is committed
    queue.claim.before=stop:3       stops as by SIGSTOP before the third claim

A third action holds what reached the moment, and nothing else of its process, while somebody acts on others:

    queue.add.after=hold:/tmp/holds

Whoever puts a file `queue.add.after` into that folder has the next who reaches the moment wait there: the file is then
called `queue.add.after.<process id>`, and whoever removes it lets the held one go on. One file holds one, of however
many processes share the folder.

The steps are the methods named in `STEPS`, of the classes that the composition root takes as `Seams` and `Hands`.
"""

import asyncio
import functools
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cofounder_server.agent.checkpoints import Saver
from cofounder_server.agent.resume import Resumes
from cofounder_server.agent.trees import Trees
from cofounder_server.app.agents import Hands
from cofounder_server.app.ground import Seams
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.builds.log import Log
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.wire import Publisher
from cofounder_server.ledger.store import Ledger

STEPS: Mapping[str, tuple[type[Any], str]] = {
    "log.append": (Log, "append"),
    "wire.publish": (Publisher, "publish"),
    "queue.add": (Queue, "add"),
    "queue.claim": (Queue, "claim"),
    "queue.renew": (Queue, "renew"),
    "queue.release": (Queue, "release"),
    "build.begin": (Transitions, "begin_attempt"),
    "build.finish": (Transitions, "finish"),
    "build.take_back": (Transitions, "take_back"),
    "build.hand_back": (Transitions, "hand_back"),
    "build.cancel": (Transitions, "cancel"),
    "ledger.reserve": (Ledger, "reserve"),
    "ledger.ask": (Ledger, "ask"),
    "ledger.settle": (Ledger, "settle"),
    "ledger.release": (Ledger, "release"),
    "blobs.put": (Blobs, "put"),
    "tree.keep": (Trees, "keep"),
    "tree.rebuild": (Trees, "rebuild"),
    "commits.keep": (Trees, "keep_commits"),
    "commits.rebuild": (Trees, "rebuild_commits"),
    "checkpoint.save": (Saver, "aput"),
    "build.resume": (Resumes, "find"),
}
MOMENTS = tuple(f"{step}.{when}" for step in STEPS for when in ("before", "after"))
SIGNALS = {"crash": signal.SIGKILL, "stop": signal.SIGSTOP}
HOLD = "hold"
LOOK_AGAIN_SECONDS = 0.005

Seam = TypeVar("Seam")


@dataclass(frozen=True, slots=True)
class Failpoint:
    """What happens when a moment of a step is reached for the n-th time, or whenever `folder` asks for it."""

    moment: str
    action: str
    nth: int = 1
    folder: Path | None = None


def parse(text: str) -> list[Failpoint]:
    """Returns the failpoints that `text` names. Raises ValueError, naming what may stand there."""
    return [_parse_one(part.strip()) for part in text.split(",") if part.strip()]


def _parse_one(text: str) -> Failpoint:
    moment, _, rest = text.partition("=")
    action, _, detail = rest.partition(":")
    if moment in MOMENTS and action == HOLD and detail:
        return Failpoint(moment, action, folder=Path(detail))
    if moment in MOMENTS and action in SIGNALS and (detail or "1").isdigit():
        return Failpoint(moment, action, int(detail or 1))
    raise ValueError(
        f"{text!r} is no failpoint: write <step>.<before|after>=<{'|'.join(SIGNALS)}>[:<n>] or …={HOLD}:<folder>, "
        f"with one of the steps {', '.join(STEPS)}"
    )


class Armed:
    """Failpoints that are armed, and how often each moment was reached."""

    def __init__(self, failpoints: list[Failpoint]) -> None:
        self._failpoints = failpoints
        self._reached: Counter[str] = Counter()

    def seams(self) -> Seams:
        """Returns the seams with each step's moments passing through here."""
        return Seams(
            log=self._arm(Log),
            ledger=self._arm(Ledger),
            publisher=self._arm(Publisher),
            queue=self._arm(Queue),
            transitions=self._arm(Transitions),
        )

    def hands(self) -> Hands:
        """Returns those of a worker's agents likewise."""
        return Hands(
            blobs=self._arm(Blobs),
            saver=self._arm(Saver),
            trees=self._arm(Trees),
            resumes=self._arm(Resumes),
        )

    def _arm(self, seam: type[Seam]) -> type[Seam]:
        steps = {method: step for step, (owner, method) in STEPS.items() if owner is seam}
        methods = {method: self._around(step, getattr(seam, method)) for method, step in steps.items()}
        return type(f"Armed{seam.__name__}", (seam,), methods)

    def _around(self, step: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def with_moments(*args: Any, **kwargs: Any) -> Any:
            await self._reach(f"{step}.before")
            result = await method(*args, **kwargs)
            await self._reach(f"{step}.after")
            return result

        return with_moments

    async def _reach(self, moment: str) -> None:
        self._reached[moment] += 1
        for failpoint in self._failpoints:
            if failpoint.moment != moment:
                continue
            if failpoint.folder is not None:
                await _hold(moment, failpoint.folder)
            elif failpoint.nth == self._reached[moment]:
                os.kill(os.getpid(), SIGNALS[failpoint.action])


async def _hold(moment: str, folder: Path) -> None:
    """Waits while the file is there that says so; the loop goes on meanwhile."""
    held = folder / f"{moment}.{os.getpid()}"
    if _taken(folder / moment, held):
        while held.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _taken(wanted: Path, held: Path) -> bool:
    """Takes the file for this process; False if there is none, or another was first."""
    try:
        wanted.rename(held)
    except FileNotFoundError:
        return False
    return True
