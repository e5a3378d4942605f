"""Workers and a sweeper of this process over real engines: the product's own, with a runner that is noted.

Each worker has connections of its own, as if it were a process of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import redis
import redis.asyncio

from cofounder_server import tasks
from cofounder_server.agent.runner import BuildRunner
from cofounder_server.app.ground import HAND_BACK_SECONDS
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import StageEnd
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.watch import Watches
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import WallClock
from cofounder_server.worker.board import Board
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.leases import Leases
from cofounder_server.worker.loop import Worker
from cofounder_server.worker.run_build import Desk
from cofounder_server.worker.sweep import Sweeper

LEASE_SECONDS = 2.0
HEARTBEAT_SECONDS = 0.4
SWEEP_SECONDS = 0.2
SLOTS = 4


class Anew:
    """Every attempt begins anew: nothing of these builds is kept between two."""

    async def find(self, build_id: UUID) -> StageEnd | None:
        del build_id
        return None


@dataclass(frozen=True, slots=True)
class Base:
    """What a worker, or a sweeper, stands on."""

    pool: asyncpg.Pool
    client: redis.asyncio.Redis
    log: Log
    publisher: Publisher
    queue: Queue
    transitions: Transitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """How workers are made: over which engines, with which queue, and with which runner."""

    dsn: str
    redis_url: str
    queue: type[Queue]
    runner: BuildRunner

    @contextlib.asynccontextmanager
    async def base(self) -> AsyncIterator[Base]:
        """Opens connections of their own for the block."""
        pool = await asyncpg.create_pool(self.dsn, min_size=0, max_size=6, command_timeout=30)
        client = redis.asyncio.Redis.from_url(self.redis_url)
        log, publisher = Log(pool), Publisher(client)
        try:
            yield Base(
                pool=pool,
                client=client,
                log=log,
                publisher=publisher,
                queue=self.queue(client, lease_seconds=LEASE_SECONDS),
                transitions=Transitions(pool, log, publisher, WallClock()),
            )
        finally:
            pool.terminate()
            await client.aclose()

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Runs a worker as long as the block does; then it drains."""
        async with contextlib.AsyncExitStack() as stack:
            base = await stack.enter_async_context(self.base())
            name = f"w-{uuid4().hex[:6]}"
            board = Board(base.pool, WallClock(), worker_id=name, slots=SLOTS, seconds=1.0)
            worker = Worker(await self._desk(base, stack), board, worker_id=name, slots=SLOTS)
            working = asyncio.create_task(worker.run(), name=name)
            stack.push_async_callback(tasks.stop, working, again=HAND_BACK_SECONDS)
            yield

    @contextlib.asynccontextmanager
    async def workers(self, count: int) -> AsyncIterator[None]:
        """Runs so many workers as long as the block does."""
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                await stack.enter_async_context(self.worker())
            yield

    async def _desk(self, base: Base, stack: contextlib.AsyncExitStack) -> Desk:
        patience = HEARTBEAT_SECONDS / 2
        blocking = redis.Redis.from_url(self.redis_url, socket_timeout=patience, socket_connect_timeout=patience)
        leases = Leases(blocking, lease_seconds=LEASE_SECONDS, heartbeat_seconds=HEARTBEAT_SECONDS)
        return Desk(
            pool=base.pool,
            transitions=base.transitions,
            resumes=Anew(),
            builds=Builds(base.pool),
            queue=base.queue,
            watches=await stack.enter_async_context(Watches(base.log, base.client)),
            commit=await stack.enter_async_context(GroupCommit(base.log, base.publisher, WallClock())),
            leases=await stack.enter_async_context(leases),
            runner_of=lambda _: self.runner,
            secrets=frozenset(),
        )

    @contextlib.asynccontextmanager
    async def sweeper(self) -> AsyncIterator[None]:
        """Sweeps as long as the block runs."""
        async with self.base() as base:
            sweeper = Sweeper(
                base.pool,
                base.transitions,
                base.queue,
                WallClock(),
                sweep_seconds=SWEEP_SECONDS,
                lease_seconds=LEASE_SECONDS,
                max_crashes=3,
            )
            sweeping = asyncio.create_task(sweeper.run(), name="sweeper")
            try:
                yield
            finally:
                await tasks.stop(sweeping)
