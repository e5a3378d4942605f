"""The processes of one measurement: each runs one part on a loop of its own and reports figures by name."""

import multiprocessing
import queue
import time
import traceback
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from typing import Any

import uvloop

Figures = dict[str, Any]
Part = Callable[..., Coroutine[Any, Any, None]]
# A measurement that takes longer than this has lost a part.
PATIENCE_SECONDS = 300.0


class PartFailed(Exception):
    """A part of a measurement broke; the text is its traceback."""


@dataclass(frozen=True, slots=True)
class Ties:
    """What the parts of a measurement share: marks that it passes once, and the figures that come out of it."""

    marks: dict[str, Any]
    out: Any

    @classmethod
    def of(cls, *marks: str) -> "Ties":
        context = multiprocessing.get_context("spawn")
        return cls({name: context.Event() for name in marks}, context.Queue())

    def reach(self, mark: str) -> None:
        self.marks[mark].set()

    def await_(self, mark: str) -> None:
        """Blocks the process, its loop included, until a mark is reached: nothing is under way before it."""
        if not self.marks[mark].wait(PATIENCE_SECONDS):
            raise PartFailed(f"the mark {mark!r} was not reached within {PATIENCE_SECONDS:g} s")

    def report(self, **figures: Any) -> None:
        self.out.put(figures)


class Cast:
    """The running parts of one measurement. A context: leaving it ends what still runs."""

    def __init__(self, ties: Ties, parts: Iterable[Part], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ties = ties
        self._processes: list[SpawnProcess] = [
            context.Process(target=_play, args=(part, ties, *arguments), name=part.__name__, daemon=True)
            for part in parts
        ]

    def __enter__(self) -> "Cast":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process in self._processes:
            if kind is not None:
                process.terminate()
            process.join(timeout=10.0)
            process.kill()

    def await_(self, mark: str) -> None:
        """Returns once a mark is reached. Raises PartFailed where a part broke before that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._ties.marks[mark].wait(0.2):
            self._raise_fault()
            if time.monotonic() > deadline:
                raise PartFailed(f"the mark {mark!r} was not reached within {PATIENCE_SECONDS:g} s")

    def figures(self, *names: str) -> Figures:
        """Returns what the parts reported, once all `names` are there. Raises PartFailed."""
        found: Figures = {}
        while not found.keys() >= set(names):
            try:
                found |= self._ties.out.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise PartFailed(f"no figures for {set(names) - found.keys()}") from None
            if "fault" in found:
                raise PartFailed(found["fault"])
        return found

    def _raise_fault(self) -> None:
        try:
            reported = self._ties.out.get_nowait()
        except queue.Empty:
            return
        if "fault" in reported:
            raise PartFailed(reported["fault"])
        self._ties.out.put(reported)


def _play(part: Part, ties: Ties, *arguments: Any) -> None:
    try:
        uvloop.run(part(ties, *arguments))
    except BaseException:
        ties.report(fault=traceback.format_exc())
        raise
