"""The kill matrix: every victim, struck in every way, at every moment between a build's acceptance and its end."""

import random
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cofounder_testkit import cell, deed, house, moments
from cofounder_testkit.cell import Cell, Outcome

VICTIMS = ("worker", "server", "gateway", "redis", "postgres")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cells are played: those whose name begins with `only`; of these `sample` (0: all), chosen by `seed`."""

    only: str = ""
    sample: int = 0
    seed: int = 0

    def of(self, cells: Sequence[Cell]) -> list[Cell]:
        named = [each for each in cells if each.name.startswith(self.only)]
        if not 0 < self.sample < len(named):
            return named
        chosen = set(random.Random(self.seed).sample(range(len(named)), self.sample))
        return [each for place, each in enumerate(named) if place in chosen]


def cells(known: Sequence[moments.Moment]) -> list[Cell]:
    """Returns the matrix over the moments there are. Victims take turns: one comes back while others are struck."""
    return [Cell(victim, name, moment) for moment in known for name in deed.SIGNALS for victim in VICTIMS]


async def play(data: Path, choice: Choice, say: Say) -> list[Outcome]:
    """Plays the cells one after the other, saying each as it is done.

    They share a house as long as no cell breaks; after one that does, the next begins in a new one.
    """
    outcomes: list[Outcome] = []
    chosen: list[Cell] | None = None
    while chosen is None or len(outcomes) < len(chosen):
        async with house.running(data / f"house-{len(outcomes)}", workers=3) as lived_in:
            if chosen is None:
                chosen = choice.of(cells(await moments.of_a_build(lived_in)))
                say(f"{len(chosen)} cells; every log is compared byte by byte with what three watchers saw")
            async for outcome in _until_broken(lived_in, chosen[len(outcomes) :]):
                outcomes.append(outcome)
                say(f"{len(outcomes):>4}  {line(outcome)}")
    say(summary(outcomes))
    return outcomes


async def _until_broken(lived_in: house.House, left: Sequence[Cell]) -> AsyncIterator[Outcome]:
    for each in left:
        outcome = await cell.play(lived_in, each)
        yield outcome
        if outcome.broken:
            return


def line(outcome: Outcome) -> str:
    """Returns an outcome as one line of the table."""
    if outcome.broken:
        return f"{outcome.cell:<46} BROKEN  {outcome.broken}"
    log = "over already" if outcome.log_seconds is None else f"log on {outcome.log_seconds:5.2f} s"
    return (
        f"{outcome.cell:<46} {outcome.events:>4} events  {outcome.attempts} attempts  {outcome.crashes} crashes  "
        f"{outcome.cuts} cuts  {log:<12}  over {outcome.over_seconds:5.2f} s  {outcome.state}"
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """Returns the last lines: how many hold, and how soon logs went on, by victim and signal."""
    broken = [outcome.cell for outcome in outcomes if outcome.broken]
    lines = [f"{len(outcomes)} cells, {len(broken)} broken: {', '.join(broken) or 'none'}"]
    groups: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.log_seconds is not None:
            groups.setdefault(outcome.cell.rpartition("/")[0], []).append(outcome.log_seconds)
    lines += [
        f"{name:<18} the log went on after {statistics.median(seconds):5.2f} s (median), {max(seconds):5.2f} s (worst)"
        for name, seconds in sorted(groups.items())
    ]
    return "\n".join(lines)
