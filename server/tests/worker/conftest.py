"""A worker for tests: real engines, and a runner whose script the test writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
import redis as blocking
import redis.asyncio as redis

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server.agent.checkpoints import Checkpoints, open_saver
from cofounder_server.agent.resume import Resumes
from cofounder_server.agent.runner import BuildRunner
from cofounder_server.agent.trees import Trees
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.builds import rebuild
from cofounder_server.builds.log import Log
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Order, Starter
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

LEASE_SECONDS = 1.0

Script = Callable[[], AsyncIterator[BuildEvent]]


class ScriptedRunner:
    """Plays what the test wrote."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def run(self, caller, order, after=None):
        return self._script()


@dataclass
class House:
    """Everything a worker needs, over this test's own database and an empty Valkey."""

    pool: asyncpg.Pool
    client: redis.Redis
    # For the thread that renews leases.
    blocking: blocking.Redis
    log: Log
    publisher: Publisher
    queue: Queue
    transitions: Transitions
    resumes: Resumes
    checkpoints: Checkpoints
    trees: Trees
    watches: Watches
    starter: Starter
    sweeper: Sweeper
    project: UUID

    async def start(self, *, scenario: str = "") -> UUID:
        order = Order(
            creator_id="me",
            payer_id="me",
            project_id=self.project,
            plan_slug="partner",
            goal="g",
            request_id=uuid4(),
            scenario=scenario,
        )
        return (await self.starter.start(order))[0]

    async def events(self, build_id: UUID) -> list[BuildEvent]:
        """The log as it stands."""
        found, cursor = [], 0
        while (stretch := await self.log.read(build_id, after=cursor)).body:
            found += WatchBuildResponse.FromString(stretch.body).events
            cursor = stretch.last
        return found

    async def over(self, build_id: UUID) -> list[BuildEvent]:
        """The whole log, once its terminal event stands."""
        async with asyncio.timeout(30):
            async for _ in self.watches.follow(build_id, after=0, progress_seconds=60):
                pass
        return await self.events(build_id)

    async def reaches(self, build_id: UUID, kind: str) -> BuildEvent:
        """The first event of a kind, once it stands."""
        async with (
            asyncio.timeout(30),
            contextlib.aclosing(self.watches.follow(build_id, after=0, progress_seconds=60)) as stretches,
        ):
            async for stretch in stretches:
                for event in WatchBuildResponse.FromString(stretch.body).events:
                    if event.WhichOneof("kind") == kind:
                        return event
        raise AssertionError(f"the log ended without {kind}")

    @asynccontextmanager
    async def worker(
        self,
        script: Script | None = None,
        *,
        runner: BuildRunner | None = None,
        log: Log | None = None,
        slots: int = 4,
        leases: type[Leases] = Leases,
    ):
        """A worker that plays `script`, or has `runner` play, for every build, as long as the block runs."""
        store = log or self.log
        kept = leases(self.blocking, lease_seconds=self.queue.lease_seconds, heartbeat_seconds=0.2)
        async with GroupCommit(store, self.publisher, WallClock()) as commit, kept:
            desk = Desk(
                pool=self.pool,
                transitions=self.transitions,
                resumes=self.resumes,
                builds=Builds(self.pool),
                queue=self.queue,
                watches=self.watches,
                commit=commit,
                leases=kept,
                runner_of=lambda _: runner or ScriptedRunner(script),
                secrets=frozenset({"the-process-own-secret"}),
            )
            worker_id = f"w-{uuid4().hex[:6]}"
            board = Board(self.pool, WallClock(), worker_id=worker_id, slots=slots, seconds=0.1)
            running = asyncio.create_task(Worker(desk, board, worker_id=worker_id, slots=slots).run())
            try:
                yield running
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


@pytest_asyncio.fixture
async def house(database: str, pool: asyncpg.Pool, redis_client: redis.Redis, redis_url: str) -> AsyncIterator[House]:
    clock, log, publisher = WallClock(), Log(pool), Publisher(redis_client)
    queue = Queue(redis_client, lease_seconds=LEASE_SECONDS)
    await rebuild.rebuild(pool, queue)
    transitions = Transitions(pool, log, publisher, clock)
    project = uuid4()
    await pool.execute(
        "insert into projects (project_id, title, owner_id, request_id) values ($1, 'P', 'me', $2)", project, uuid4()
    )
    trees = Trees(Blobs(PostgresStore(pool), clock))
    async with AsyncExitStack() as stack:
        checkpoints = Checkpoints(await stack.enter_async_context(open_saver(database)))
        yield House(
            pool=pool,
            client=redis_client,
            blocking=blocking.Redis.from_url(redis_url, socket_timeout=0.1, socket_connect_timeout=0.1),
            log=log,
            publisher=publisher,
            queue=queue,
            transitions=transitions,
            resumes=Resumes(pool, checkpoints, trees),
            checkpoints=checkpoints,
            trees=trees,
            watches=await stack.enter_async_context(Watches(log, redis_client, poll_seconds=0.1)),
            starter=Starter(pool, log, publisher, queue, clock, rehearsal=False, max_queued=100),
            sweeper=Sweeper(
                pool, transitions, queue, clock, sweep_seconds=0.1, lease_seconds=LEASE_SECONDS, max_crashes=3
            ),
            project=project,
        )


@pytest.fixture
def checked():
    """Checks a log's shape: dense from 1, one terminal event, last. Returns the kinds."""

    def check(events: list[BuildEvent]) -> list[str]:
        kinds = [event.WhichOneof("kind") for event in events]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        terminal = {"build_succeeded", "build_partial", "build_failed", "build_cancelled"}
        assert [kind in terminal for kind in kinds] == [False] * (len(kinds) - 1) + [True]
        return kinds

    return check
