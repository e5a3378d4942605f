"""Where scenes with many builds take place: engines, a crew over them, and the judgement of everything at the end."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from cofounder_server import db
from cofounder_server.app import schema
from cofounder_server.billing import plans
from cofounder_server.builds import rebuild
from cofounder_server.builds.queue import Queue
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.valkey import EmbeddedValkey
from cofounder_testkit import aftermath
from cofounder_testkit.checker import PromiseBroken
from cofounder_testkit.crew import Base, Crew
from cofounder_testkit.ledger import Ledger, Noted, Trivial

LOOK_AGAIN_SECONDS = 0.05
OVER = "select count(*) from builds where finish_time is not null"


@dataclass(slots=True)
class Tally:
    """How many builds took how many attempts, and how many of these were counted as a worker's crash."""

    attempts: Counter[int] = field(default_factory=Counter)
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Workshop:
    """Engines that run, a crew that can be hired, and the ledger of what its workers do."""

    valkey: EmbeddedValkey
    crew: Crew
    # Of the harness itself.
    base: Base
    ledger: Ledger

    async def until_over(self, count: int, *, seconds: float) -> None:
        """Waits until so many builds are over. Raises PromiseBroken."""
        try:
            async with asyncio.timeout(seconds):
                while await self.over() < count:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise PromiseBroken(f"{await self.over()} builds are over and not {count} after {seconds:g} s") from None

    async def over(self) -> int:
        count: int = await self.base.pool.fetchval(OVER)
        return count

    async def judge(self, builds: Sequence[UUID]) -> Tally:
        """Checks every build and the index when all are over.

        Raises:
            PromiseBroken: A build has no end or did not succeed; somebody was above their permits; a build was
                overtaken by a later one of its user, plan and project; or the index still holds something.
        """
        tally = Tally()
        for build_id in builds:
            ended = await aftermath.ended(self.base.pool, build_id)
            if ended.state != "succeeded":
                raise PromiseBroken(f"{build_id} ended as {ended.state} after {ended.crashes} lost workers")
            tally.attempts[ended.attempts] += 1
            tally.crashes += ended.crashes
        await aftermath.clean(self.base.queue, self.base.client)
        for what, found in (("permits", self.ledger.above), ("order", self.ledger.inversions(again=False))):
            if found:
                raise PromiseBroken(f"{what}, {len(found)} times: {found[0]}")
        return tally


@contextlib.asynccontextmanager
async def prepared(data: Path, *, seconds: float = 0.0, queue: type[Noted] = Noted) -> AsyncIterator[Workshop]:
    """Runs engines, with an index that is made, as long as the block does.

    Args:
        seconds: How long a build takes.
        queue: The queue that everybody uses.
    """
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        await schema.migrate(postgres.dsn)
        pool = await db.open_pool(postgres.dsn, size=1)
        ledger = Ledger((await plans.read(pool)).limits())
        pool.terminate()
        noted: type[Queue] = type(queue.__name__, (queue,), {"ledger": ledger})
        runner = Trivial(ledger, seconds=seconds)
        crew = Crew(dsn=postgres.dsn, redis_url=valkey.url, queue=noted, runner=runner)
        async with crew.base() as base:
            await rebuild.rebuild(base.pool, base.queue)
            yield Workshop(valkey, crew, base, ledger)


@contextlib.asynccontextmanager
async def running(data: Path, *, seconds: float, queue: type[Noted] = Noted) -> AsyncIterator[Workshop]:
    """As `prepared`, with a sweeper."""
    async with prepared(data, seconds=seconds, queue=queue) as made, made.crew.sweeper():
        yield made
