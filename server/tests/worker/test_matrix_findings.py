"""What the kill matrix found, each as the least that shows it."""

import asyncio

import pytest
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisAway

from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder_server.builds import wire
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Stretch
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.transitions import Transitions, sql
from cofounder_server.builds.wire import Publisher

pytestmark = pytest.mark.integration

ANY = {"": (-1, -1)}


async def succeed():
    yield BuildEvent(text_delta=TextDelta(text="words"))
    yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())


async def never():
    yield BuildEvent(text_delta=TextDelta(text="begun"))
    await asyncio.Event().wait()


async def test_b_7_a_redis_that_is_away_for_a_moment_is_no_crash_of_a_worker(house):
    """Cells redis/term/wire.publish.*@server and others: three restarts of Redis, and a build is a dead letter."""

    class Away(Queue):
        times = 0

        async def renew(self, build_id, owner):
            self.times += 1
            if self.times == 1:
                raise RedisAway("away")
            return await super().renew(build_id, owner)

    house.queue = Away(house.client, lease_seconds=house.queue.lease_seconds)
    build_id = await house.start()
    sweeping = asyncio.create_task(house.sweeper.run())
    async with house.worker(succeed):
        await house.over(build_id)
    sweeping.cancel()
    assert (await house.transitions.job(build_id)).crashes == 0


async def test_b_7_a_postgres_that_is_away_in_mid_build_costs_no_attempt(house):
    """Cells postgres/term/*: whoever looks for commands waits for it, as the log does."""

    class Away(Transitions):
        times = 0

        async def job(self, build_id):
            self.times += 1
            if self.times in (2, 3):
                raise ConnectionResetError("away")
            return await super().job(build_id)

    house.transitions = Away(house.pool, house.log, house.publisher, house.starter._clock)

    async def patient():
        async with asyncio.timeout(30):
            while house.transitions.times < 4:
                await asyncio.sleep(0.02)
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())

    build_id = await house.start()
    async with house.worker(patient):
        await house.over(build_id)
    job = await house.transitions.job(build_id)
    assert (job.crashes, job.attempt) == (0, 1)


async def test_a_redis_that_hangs_stalls_no_log(house, monkeypatch):
    """Cells redis/stop/*: what is committed is not held up by whom it is published to."""

    async def hang(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(wire, "PUBLISH_SECONDS", 0.05)
    monkeypatch.setattr(Pipeline, "execute", hang)
    await Publisher(house.client).publish([Stretch(house.project, 0, 1, b"", over=False)])


async def test_b_8_a_drain_in_the_middle_of_a_beginning_hands_back_at_once_and_counts_nothing(house):
    """Cells worker/term/log.append.after@worker and worker/term/queue.claim.after@worker."""
    begun = asyncio.Event()

    class Slow(Transitions):
        async def begin_attempt(self, build_id, **named):
            begun.set()
            return await super().begin_attempt(build_id, **named)

    house.transitions = Slow(house.pool, house.log, house.publisher, house.starter._clock)
    build_id = await house.start()
    async with house.worker(never) as running:
        await asyncio.wait_for(begun.wait(), 30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (await house.queue.contents()).waiting == {build_id}
    assert (await house.transitions.job(build_id)).crashes == 0


async def test_b_5_a_worker_that_stopped_in_a_transaction_keeps_the_sweeper_from_no_other_build(house):
    """A machine that hangs holds the row as long as its connection lives: meanwhile no lost build is taken back."""
    stuck, lost = await house.start(), await house.start()
    for build_id in (stuck, lost):
        assert await house.queue.claim(f"dead:{build_id}", ANY) == build_id
        await house.transitions.begin_attempt(build_id, worker_id="dead", owner=f"dead:{build_id}")
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.fetchrow(sql.lock_build, stuck)
        sweeping = asyncio.create_task(house.sweeper.run())
        try:
            async with asyncio.timeout(20):
                while (await house.transitions.job(lost)).crashes == 0:
                    await asyncio.sleep(0.05)
        finally:
            sweeping.cancel()


async def test_a_worker_whose_group_commit_died_does_not_limp_on(house):
    """The same goes for the head poll of builds/watch.py and the board of worker/board.py."""

    class Broken(Log):
        async def append(self, batches, connection=None):
            if connection is None:
                raise RuntimeError("something nobody thought of")
            return await super().append(batches, connection)

    await house.start()
    async with house.worker(succeed, log=Broken(house.pool)) as running:
        with pytest.raises(RuntimeError, match="group commit ended"):
            await asyncio.wait_for(running, 30)
