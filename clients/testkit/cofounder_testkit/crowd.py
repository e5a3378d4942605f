"""Users of several plans, and the builds they order, at times of our own choosing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from cofounder_server.builds.start import Order, Starter
from cofounder_testkit.crew import Base

# No limit of a day: it would put builds off to another.
UNLIMIT_DAYS = "update plans set builds_a_day = -1"
PROJECT = "insert into projects (project_id, title, owner_id, request_id) values ($1, 'P', $2, $3)"
PROJECTS_OF_A_USER = 2
FULL = 100_000


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who pays, under one plan."""

    user_id: str
    plan_slug: str
    projects: Sequence[UUID]


class SetClock:
    """A clock that stands where it was set: the time at which builds are ordered, as the queue is to see it."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def forward(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("nobody who orders sleeps")


async def settle(pool: asyncpg.Pool, plans: Sequence[str]) -> list[User]:
    """Makes one user for each of `plans`, with projects."""
    await pool.execute(UNLIMIT_DAYS)
    users = [
        User(f"u{number}-{plan}", plan, [uuid4() for _ in range(PROJECTS_OF_A_USER)])
        for number, plan in enumerate(plans)
    ]
    for user in users:
        for project in user.projects:
            await pool.execute(PROJECT, project, user.user_id, uuid4())
    return users


async def order(base: Base, orderers: Sequence[User], *, every: float, seed: int) -> list[UUID]:
    """Has each of `orderers` order a build, in this order, `every` seconds apart by a clock of their own."""
    clock, chance = SetClock(), random.Random(seed)
    starter = Starter(base.pool, base.log, base.publisher, base.queue, clock, rehearsal=True, max_queued=FULL)
    builds = []
    for user in orderers:
        clock.forward(every)
        wanted = Order(
            creator_id=user.user_id,
            payer_id=user.user_id,
            project_id=chance.choice(user.projects),
            plan_slug=user.plan_slug,
            goal="g",
            request_id=uuid4(),
        )
        build_id, _ = await starter.start(wanted)
        builds.append(build_id)
    return builds
