"""Redis lost in the middle of many builds: emptied, put back from an old snapshot, away for a while."""

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cofounder_testkit import crowd, workshop
from cofounder_testkit.checker import PromiseBroken
from cofounder_testkit.workshop import Workshop

WORKERS = 3
PLANS = ("bootstrapper",) * 6 + ("partner",) * 4 + ("cto_scale",) * 2
# How long a build takes: longer than a lease takes to be missed, so that many are under way when Redis is lost.
BUILD_SECONDS = 0.3
OVER_SECONDS = 600.0
LOOK_AGAIN_SECONDS = 0.05

Say = Callable[[str], None]
Act = Callable[[Workshop], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one loss."""

    loss: str
    builds: int = 0
    over_before: int = 0
    # How many builds took how many attempts.
    attempts: Mapping[int, int] = field(default_factory=dict)
    # How many attempts were counted as a worker's crash.
    crashes: int = 0
    # How many builds were played to the end more than once; each has one end all the same.
    played_again: int = 0
    # How many that were claimed as Redis was lost came back a sweep later, and were overtaken meanwhile.
    overtaken: int = 0
    broken: str | None = None


async def emptied(shop: Workshop) -> None:
    """FLUSHALL."""
    await shop.base.client.flushall()


async def restored(shop: Workshop) -> None:
    """What Redis wrote a while ago stands in the place of what it wrote since."""
    files = shop.valkey.folder / "appendonlydir"
    over = await shop.over()
    with TemporaryDirectory() as kept:
        shutil.copytree(files, kept, dirs_exist_ok=True)
        await shop.until_over(over + WORKERS, seconds=OVER_SECONDS)
        await shop.valkey.stop()
        shutil.rmtree(files)
        shutil.copytree(kept, files)
    await shop.valkey.start()


async def away(shop: Workshop, *, seconds: float) -> None:
    """Redis is stopped, and started again after a while."""
    await shop.valkey.stop()
    await asyncio.sleep(seconds)
    await shop.valkey.start()


async def play(data: Path, say: Say, *, builds: int, away_seconds: float, seed: int) -> list[Outcome]:
    """Loses Redis in each way, each with so many queued builds; says and returns what came of it."""
    losses: Mapping[str, Act] = {"emptied": emptied, "restored": restored, "away": partial(away, seconds=away_seconds)}
    outcomes = []
    for name, act in losses.items():
        outcome = await _play_one(data / name, name, act, builds=builds, seed=seed)
        outcomes.append(outcome)
        say(line(outcome))
    return outcomes


async def _play_one(data: Path, name: str, act: Act, *, builds: int, seed: int) -> Outcome:
    async with workshop.running(data, seconds=BUILD_SECONDS) as shop:
        users = await crowd.settle(shop.base.pool, PLANS)
        orderers = random.Random(seed).choices(users, k=builds)
        ordered = await crowd.order(shop.base, orderers, every=1.0, seed=seed)
        try:
            async with shop.crew.workers(WORKERS):
                # In the middle: some are over, some are played, most wait.
                await shop.until_over(builds // 10, seconds=OVER_SECONDS)
                over_before = await shop.over()
                await act(shop)
                await shop.until_over(builds, seconds=OVER_SECONDS)
                tally = await shop.judge(ordered)
        except PromiseBroken as broken:
            return Outcome(name, builds, broken=str(broken))
        again = sum(times > 1 for times in shop.ledger.played.values())
        overtaken = len(shop.ledger.inversions(again=True))
        attempts = dict(sorted(tally.attempts.items()))
        return Outcome(name, builds, over_before, attempts, tally.crashes, again, overtaken)


def line(outcome: Outcome) -> str:
    """Returns an outcome as one line of the table."""
    if outcome.broken:
        return f"{outcome.loss:<9} {outcome.builds} builds  BROKEN  {outcome.broken}"
    attempts = ", ".join(f"{count} in {number}" for number, count in outcome.attempts.items())
    return (
        f"{outcome.loss:<9} {outcome.builds} builds, {outcome.over_before} over before; all have one end; "
        f"attempts: {attempts}; {outcome.crashes} counted as crashes; played to the end again: {outcome.played_again}; "
        f"overtaken after a lost claim: {outcome.overtaken}"
    )
