"""A worker's load on the running product: a build of the bench's own, appended to by the product's own group commit."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import redis.asyncio as redis

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder_server import db
from cofounder_server.builds.log import Log
from cofounder_server.builds.queue import Entry, Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Order, Starter
from cofounder_server.builds.transitions import Attempt, Transitions
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import WallClock
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.writer import Writer

# Longer than any load here: nobody takes the bench's builds away.
LEASE_SECONDS = 600.0


class _Unheard(Queue):
    """A queue that no worker hears of: the bench plays its builds itself."""

    async def add(self, entry: Entry) -> None:
        await self.seize(entry, "bench")


@dataclass(frozen=True, slots=True)
class Load:
    """A build in the bench's hands."""

    build_id: UUID
    attempt: Attempt
    writer: Writer
    commit: GroupCommit

    async def play(self, *, events: int, rate: float) -> float:
        """Appends `events` at `rate` a second, 0 for as fast as it goes; returns the seconds until all are durable."""
        start = time.perf_counter()
        for number in range(events):
            await self.writer.append(stamped(number))
            self.commit.wake()
            if rate:
                await asyncio.sleep(max(0.0, start + (number + 1) / rate - time.perf_counter()))
            elif number % 64 == 0:
                await asyncio.sleep(0)
        await self.writer.flush()
        return time.perf_counter() - start


def stamped(number: int) -> BuildEvent:
    """Returns an event that carries the clock and joins with no other: each is of a call of its own."""
    clock = struct.pack(">d", time.time()).hex()
    return BuildEvent(text_delta=TextDelta(generation_id=f"g{number}", text=clock + "x" * 24))


def age(event: BuildEvent, now: float) -> float:
    """Returns the seconds since a stamped event was made."""
    made: float = struct.unpack(">d", bytes.fromhex(event.text_delta.text[:16]))[0]
    return now - made


@contextlib.asynccontextmanager
async def build(environment: Mapping[str, str], owner: str) -> AsyncIterator[Load]:
    """Gives a build that the running product knows and no worker holds."""
    clock = WallClock()
    async with contextlib.AsyncExitStack() as stack:
        pool: asyncpg.Pool = await db.open_pool(environment["DATABASE_URL"])
        stack.callback(pool.terminate)
        client = redis.Redis.from_url(environment["REDIS_URL"])
        stack.push_async_callback(client.aclose)
        log, publisher = Log(pool), Publisher(client)
        transitions = Transitions(pool, log, publisher, clock)
        queue = _Unheard(client, lease_seconds=LEASE_SECONDS)
        starter = Starter(pool, log, publisher, queue, clock, rehearsal=True, max_queued=1000)
        project = await pool.fetchval("select project_id from projects where owner_id = $1 limit 1", owner)
        order = Order(
            creator_id=owner,
            payer_id=owner,
            project_id=project,
            plan_slug="cto_scale",
            goal="bench",
            request_id=uuid4(),
        )
        build_id, _ = await starter.start(order)
        attempt = await transitions.begin_attempt(build_id, worker_id="bench", owner="bench")
        assert attempt is not None
        _, folded = await Builds(pool).get(build_id)
        writer = Writer(build_id, generation=attempt.generation, attempt=1, folded=folded)
        commit = await stack.enter_async_context(GroupCommit(log, publisher, clock))
        commit.open(writer)
        yield Load(build_id, attempt, writer, commit)
        # However it went, the build ends: asked to stop, and taken from a worker that is no more.
        await transitions.cancel(build_id, user_id=owner)
        await transitions.take_back(build_id, max_crashes=1)
        await queue.forget(build_id)
