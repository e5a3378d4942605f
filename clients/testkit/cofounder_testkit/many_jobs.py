"""Many jobs of many users and three plans over a few workers: permits at every instant, order, and bounded waiting."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from cofounder_server.billing import plans
from cofounder_testkit import crowd, workshop
from cofounder_testkit.checker import PromiseBroken
from cofounder_testkit.crowd import User
from cofounder_testkit.ledger import Ledger, Noted, Wait
from cofounder_testkit.workshop import Workshop

WORKERS = 4
BUILD_SECONDS = 0.05
OVER_SECONDS = 1800.0
LOWEST = "bootstrapper"
# All are ordered within so many seconds by the orderers' clock: longer than the highest head start, so that it shows.
SPAN_SECONDS = 1500.0
# Of the lowest plan every so manieth user orders no more than may run at once: only others can keep them waiting.
ALONE_EVERY = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Waits are in seconds by the orderers' clock: how long ago the build was ordered when others,
    ordered later, were begun before it."""

    queue: str
    jobs: int
    users: int
    # The most that anybody of a plan, "user partner", had running at once, and may have.
    most: dict[str, tuple[int, int]]
    # The longest wait of whom only others keep waiting, and its bound: the highest plan's head start.
    longest: float
    bound: float
    handed_back: int
    broken: str | None = None


async def play(
    data: Path, *, jobs: int, users: int, seed: int, seconds: float = BUILD_SECONDS, queue: type[Noted] = Noted
) -> Outcome:
    """Has all jobs, of so many seconds each, queued and then played; in the middle of it one worker drains and another
    takes its place."""
    async with workshop.running(data, seconds=seconds, queue=queue) as shop:
        base, chance = shop.base, random.Random(seed)
        crowded, alone = _split(await crowd.settle(base.pool, _plans(users)))
        orderers = [user for user in alone for _ in range(shop.ledger.limits[LOWEST][0])]
        orderers += chance.choices(crowded, k=jobs - len(orderers))
        chance.shuffle(orderers)
        ordered = await crowd.order(base, orderers, every=SPAN_SECONDS / jobs, seed=seed)
        broken = await _play(shop, ordered)
        head_starts = await _head_starts(base.pool)
        ledger = shop.ledger
        longest, bound = _longest_wait(ledger, alone, head_starts), max(head_starts.values())
        if broken is None and longest > bound:
            broken = f"waiting: {longest:.0f} s, and {bound:.0f} s are the most"
        handed_back = len(ledger.waits) - len(ordered)
        return Outcome(queue.__name__, jobs, users, _most(ledger), longest, bound, handed_back, broken)


async def _play(shop: Workshop, ordered: Sequence[UUID]) -> str | None:
    """Returns what is broken when all is over, if something is."""
    try:
        async with shop.crew.workers(WORKERS - 1):
            async with shop.crew.worker():
                await shop.until_over(len(ordered) // 3, seconds=OVER_SECONDS)
            async with shop.crew.worker():
                await shop.until_over(len(ordered), seconds=OVER_SECONDS)
                await shop.judge(ordered)
                if overtaken := shop.ledger.inversions(again=True):
                    raise PromiseBroken(f"order of those given back, {len(overtaken)} times: {overtaken[0]}")
    except PromiseBroken as broken:
        return str(broken)
    return None


def _plans(users: int) -> list[str]:
    """Returns a plan for each user: half of the lowest, a fifth of the highest."""
    highest, lowest = users // 5, users // 2
    return ["cto_scale"] * highest + ["partner"] * (users - highest - lowest) + [LOWEST] * lowest


def _split(users: Sequence[User]) -> tuple[list[User], list[User]]:
    """Returns those who order again and again, and those of the lowest plan who do not."""
    lowest = [user for user in users if user.plan_slug == LOWEST]
    alone = lowest[::ALONE_EVERY]
    return [user for user in users if user not in alone], alone


async def _head_starts(pool: asyncpg.Pool) -> dict[str, float]:
    known = await plans.read(pool)
    return {slug: float(known[slug].head_start_seconds) for slug in known.limits() if slug}


def _longest_wait(ledger: Ledger, alone: Sequence[User], head_starts: dict[str, float]) -> float:
    names = {user.user_id for user in alone}
    waits = [wait for wait in ledger.waits if wait.entry.payer_id in names]

    def ordered_at(wait: Wait) -> float:
        return wait.entry.place / 1000 + head_starts[wait.entry.plan_slug]

    return max(
        (ordered_at(other) - ordered_at(wait) for wait in waits for other in ledger.waits if other.overtook(wait)),
        default=0.0,
    )


def _most(ledger: Ledger) -> dict[str, tuple[int, int]]:
    """Returns by kind and plan the most that anybody had at once, and may have."""
    found: dict[str, tuple[int, int]] = {}
    for entry in ledger.entries.values():
        holders = (("user", entry.payer_id), ("project", str(entry.project_id)))
        for (kind, who), limit in zip(holders, ledger.limits[entry.plan_slug], strict=True):
            name = f"{kind} {entry.plan_slug}"
            found[name] = (max(found.get(name, (0, 0))[0], ledger.most[f"{kind} {who}"]), limit)
    return dict(sorted(found.items()))


def lines(outcome: Outcome) -> str:
    """Returns an outcome as lines of text."""
    most = ", ".join(f"{name} {most} of {limit}" for name, (most, limit) in outcome.most.items())
    verdict = f"BROKEN  {outcome.broken}" if outcome.broken else "permits, order and waiting hold"
    return (
        f"{outcome.queue}: {outcome.jobs} jobs of {outcome.users} users over {WORKERS} workers: {verdict}\n"
        f"  most at once: {most}\n"
        f"  longest wait of the lowest plan {outcome.longest:.0f} s, bound {outcome.bound:.0f} s; "
        f"handed back and begun again {outcome.handed_back}"
    )
