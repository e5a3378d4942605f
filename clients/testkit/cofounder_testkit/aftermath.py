"""What is left when builds are over: the log as Postgres has it, and an index that holds nothing of them."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import redis.asyncio as redis
from redis.exceptions import RedisError

from cofounder_server import db
from cofounder_server.builds.queue import BELL, BUILT, TAG, IndexLost, Queue
from cofounder_testkit.checker import PromiseBroken, Record, check, check_fence, entries

CLEAN_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.05
# What may stay: which run of Redis the index is of, and rings that nobody heard.
LASTING = {BUILT.encode(), BELL.encode()}

LOG = "select body from build_batches where build_id = $1 order by last_sequence"
BUILD = "select state, attempt, crashes, lease_owner from builds where build_id = $1"


@dataclass(frozen=True, slots=True)
class Ended:
    """A build that is over, as Postgres tells it."""

    state: str
    attempts: int
    crashes: int
    record: Record


async def ended(pool: asyncpg.Pool, build_id: UUID) -> Ended:
    """Reads a build's rows and log, and checks that both tell of the same end.

    Raises:
        PromiseBroken: The log is not dense with one terminal event at its end, or somebody appended who had lost the
            build; or the row says something else.
    """
    row = await pool.fetchrow(BUILD, build_id)
    record = Record("postgres", [event for [body] in await pool.fetch(LOG, build_id) for event in entries(body)])
    events = check(record)
    check_fence(events)
    kinds = [event.WhichOneof("kind") for event in events]
    if kinds[-1] != f"build_{row['state']}":
        raise PromiseBroken(f"Terminated: the build's row says {row['state']}, its log ends with {kinds[-1]}")
    if kinds.count("attempt_started") != row["attempt"]:
        raise PromiseBroken(f"the row counts {row['attempt']} attempts, the log {kinds.count('attempt_started')}")
    if row["lease_owner"] is not None:
        raise PromiseBroken(f"the build is over and held by {row['lease_owner']}")
    return Ended(row["state"], row["attempt"], row["crashes"], record)


async def clean(queue: Queue, client: redis.Redis) -> None:
    """Returns once the index is made, and neither a lease, a permit nor a waiting build is in it.

    Raises:
        PromiseBroken: Something is still there when every lease must have run out and been swept.
    """
    left: object = "an index that can be read"
    try:
        async with asyncio.timeout(CLEAN_SECONDS):
            while left:
                try:
                    left = await leftovers(queue, client)
                except (RedisError, OSError) as fault:
                    left = fault
                if left:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise PromiseBroken(f"left in the index: {left}") from None


async def leftovers(queue: Queue, client: redis.Redis) -> list[str]:
    """Returns what the index holds of builds, in words."""
    contents = await queue.contents()
    found = [] if contents.built else ["an index that is not made"]
    found += [f"waiting {build_id}" for build_id in contents.waiting]
    found += [f"lease of {build_id}" for build_id in contents.holdings]
    keys = {key async for key in client.scan_iter(f"{TAG}:*")}
    return found + sorted(key.decode() for key in keys - LASTING)


async def until_reachable(pool: asyncpg.Pool, queue: Queue) -> None:
    """Returns once Postgres answers and the index is made."""
    while True:
        try:
            await pool.fetchval("select 1")
            if (await queue.contents()).built:
                return
        except (*db.UNREACHABLE, RedisError, IndexLost):
            pass
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
