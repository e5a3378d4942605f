"""From the claim of a job to its end with nothing to do in between: the product, and the least that it can cost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder_testkit import crowd, workshop
from cofounder_testkit.crew import Base

JOBS = 400
# So many are under way at once, as in two workers.
HANDS = 8
ANY = {"": (-1, -1)}

# The floor: a job moves from one sorted set to another, and two rows are committed.
WAITING, LEASES = "floor:waiting", "floor:leases"
CLAIM = """local job = redis.call('zpopmin', KEYS[1])[1]
if job then redis.call('zadd', KEYS[2], redis.call('time')[1] + 60, job) end
return job"""
TABLE = "create table floor_jobs (job uuid primary key, state text not null)"
BEGIN = "insert into floor_jobs values ($1, 'running')"
FINISH = "update floor_jobs set state = 'succeeded' where job = $1"

# Plays one job; false if there is none left.
Play = Callable[[], Awaitable[bool]]


async def measure(data: Path) -> tuple[float, float]:
    """Returns jobs a second, of the product and of the floor, on the same engines one after the other."""
    async with workshop.prepared(data) as shop:
        users = await crowd.settle(shop.base.pool, ["cto_scale"] * HANDS)
        await crowd.order(shop.base, [users[number % HANDS] for number in range(JOBS)], every=0.1, seed=0)
        product = await _speed(lambda: _product(shop.base))
        await shop.base.pool.execute(TABLE)
        await shop.base.client.zadd(WAITING, {str(uuid4()): number for number in range(JOBS)})
        return product, await _speed(lambda: _floor(shop.base))


async def _speed(play: Play) -> float:
    async def hand() -> None:
        while await play():
            """The next one."""

    start = time.perf_counter()
    await asyncio.gather(*(hand() for _ in range(HANDS)))
    return JOBS / (time.perf_counter() - start)


async def _product(base: Base) -> bool:
    owner = uuid4().hex
    build_id = await base.queue.claim(owner, ANY)
    if build_id is None:
        return False
    attempt = await base.transitions.begin_attempt(build_id, worker_id="bench", owner=owner)
    assert attempt is not None
    end = BuildEvent(build_succeeded=BuildSucceeded())
    await base.transitions.finish(build_id, generation=attempt.generation, append_id=uuid4(), events=[end])
    await base.queue.release(build_id, owner)
    return True


async def _floor(base: Base) -> bool:
    job = await base.client.eval(CLAIM, 2, WAITING, LEASES)
    if job is None:
        return False
    await base.pool.execute(BEGIN, UUID(job.decode()))
    await base.pool.execute(FINISH, UUID(job.decode()))
    return True
