"""Builds and logs for tests: a log over the real engines, builds in it, and appenders."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio as redis

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder_server.builds import framing
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Outcome
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.start import Order, Starter
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import WallClock

NewBuild = Callable[[], Awaitable[UUID]]
Append = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def log(pool: asyncpg.Pool) -> Log:
    return Log(pool)


@pytest.fixture
def publisher(redis_client: redis.Redis) -> Publisher:
    return Publisher(redis_client)


@pytest_asyncio.fixture
async def queue(redis_client: redis.Redis) -> Queue:
    made = Queue(redis_client, lease_seconds=5)
    await made.rebuild([], [])
    return made


@pytest.fixture
def transitions(pool: asyncpg.Pool, log: Log, publisher: Publisher) -> Transitions:
    return Transitions(pool, log, publisher, WallClock())


@pytest.fixture
def starter(pool: asyncpg.Pool, log: Log, publisher: Publisher, queue: Queue) -> Starter:
    return Starter(pool, log, publisher, queue, WallClock(), rehearsal=False, max_queued=1000)


@pytest_asyncio.fixture
async def project(pool: asyncpg.Pool) -> UUID:
    project_id = uuid4()
    await pool.execute(
        "insert into projects (project_id, title, owner_id, request_id) values ($1, 'P', 'me', $2)", project_id, uuid4()
    )
    return project_id


@pytest.fixture
def new_build(starter: Starter, project: UUID) -> NewBuild:
    """Starts a build: its log then holds one event, BuildAccepted."""

    async def start() -> UUID:
        order = Order(
            creator_id="me", payer_id="me", project_id=project, plan_slug="cto_scale", goal="g", request_id=uuid4()
        )
        build_id, _ = await starter.start(order)
        return build_id

    return start


@pytest.fixture
def append(log: Log) -> Append:
    """Appends text events after `expected`, as a worker under `generation` would."""

    async def call(
        build_id: UUID,
        expected: int,
        *events: BuildEvent,
        generation: int | None = 0,
        append_id: UUID | None = None,
        seals: bool = False,
    ) -> Outcome:
        chosen = events or (BuildEvent(text_delta=TextDelta(text="x")),)
        body = framing.encode(chosen, after=expected, time=datetime.now(UTC))
        batch = Batch(
            build_id=build_id,
            append_id=append_id or uuid4(),
            expected=expected,
            count=len(chosen),
            body=body,
            generation=generation,
            seals=seals,
        )
        [outcome] = await log.append([batch])
        return outcome

    return call
