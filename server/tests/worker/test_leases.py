"""B-4, B-5: leases are renewed by what a busy loop cannot stop, while the loop ticks, and end here before in Redis."""

import asyncio
import socket
import time
from uuid import uuid4

import pytest
import pytest_asyncio
import redis as blocking

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder_server.builds.model import State
from cofounder_server.builds.queue import Entry, Queue
from cofounder_server.worker.leases import Leases

pytestmark = pytest.mark.integration

ANY = {"": (-1, -1)}


@pytest_asyncio.fixture
async def queue(redis_client):
    made = Queue(redis_client, lease_seconds=1.0)
    await made.rebuild([], [])
    return made


@pytest_asyncio.fixture
async def held(queue):
    """A build that this process holds: its id, its owner token, and when it was asked for."""
    await queue.add(Entry(uuid4(), 0, "me", uuid4(), "partner"))
    asked = time.monotonic()
    return await queue.claim("w", ANY), "w", asked


def leases(url: str, *, lease_seconds: float = 1.0) -> Leases:
    client = blocking.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    return Leases(client, lease_seconds=lease_seconds, heartbeat_seconds=0.2)


def spin_until(condition, *, most: float = 30.0) -> None:
    """Keeps the loop, and one core, busy until the condition holds."""
    end = time.monotonic() + most
    while not condition() and time.monotonic() < end:
        pass


async def test_a_lease_is_prolonged_while_the_loop_ticks(redis_url, queue, held):
    build_id, owner, asked = held
    async with leases(redis_url, lease_seconds=60) as kept, asyncio.timeout(30):
        lease = kept.keep(build_id, owner, claimed=asked)
        while lease.ends <= asked + 61:
            await asyncio.sleep(0.02)
        assert not lease.lost
        assert (await queue.contents()).holdings[build_id].seconds > 1, "and in Redis"


async def test_a_loop_that_is_busy_for_a_while_does_not_lose_its_lease(redis_url, queue, held):
    """Example 51: shorter than the deadline, by CPU: the renewer is a thread of its own."""
    build_id, owner, asked = held
    async with leases(redis_url, lease_seconds=60) as kept:
        lease = kept.keep(build_id, owner, claimed=asked)
        await asyncio.sleep(0)
        before = lease.ends
        spin_until(lambda: lease.ends > before)
        assert lease.ends > before, "renewed while the loop could not"
        assert not lease.lost


async def test_a_loop_that_is_stuck_loses_its_lease_without_getting_to_act_again(redis_url, queue, held):
    """Example 51: never two writers. Redis would go on renewing; the thread does not ask it to."""
    build_id, owner, asked = held
    async with leases(redis_url) as kept:
        lease = kept.keep(build_id, owner, claimed=asked)
        await asyncio.sleep(0)
        spin_until(lambda: lease.lost)
        assert lease.lost
        await asyncio.wait_for(lease.gone.wait(), 10)


async def test_a_worker_that_cannot_reach_redis_loses_its_lease_before_it_ends_there(redis_url, queue, held):
    """Example 71: by a margin of the lease, and with nobody's help."""
    build_id, owner, _ = held
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.listen()
        async with leases(f"redis://127.0.0.1:{silent.getsockname()[1]}", lease_seconds=60) as kept:
            # As if asked for 50 seconds ago: of 60, the last 12 are the margin.
            lease = kept.keep(build_id, owner, claimed=time.monotonic() - 50)
            await asyncio.wait_for(lease.gone.wait(), 10)
            assert time.monotonic() < lease.ends


async def test_a_lease_that_is_anothers_is_lost_at_the_next_heartbeat(redis_url, redis_client, queue, held):
    build_id, owner, asked = held
    async with leases(redis_url) as kept:
        lease = kept.keep(build_id, owner, claimed=asked)
        await redis_client.hset("{queue}:owners", str(build_id), "another")
        await asyncio.wait_for(lease.gone.wait(), 10)


async def test_b_4_a_cut_off_worker_hands_its_build_back_and_nothing_counts_as_a_crash(house):
    """Postgres can be reached and Redis cannot: the build goes on elsewhere, or here once Redis is back."""
    begun, stopped, scripts = asyncio.Event(), asyncio.Event(), []

    async def first():
        try:
            begun.set()
            yield BuildEvent(text_delta=TextDelta(text="begun"))
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def second():
        yield BuildEvent(build_succeeded=BuildSucceeded())

    def play():
        scripts.append(first if not scripts else second)
        return scripts[-1]()

    class Cut(Leases):
        cut = False

        def _renew_all(self, leases):
            if not self.cut:
                super()._renew_all(leases)

    build_id = await house.start()
    sweeping = asyncio.create_task(house.sweeper.run())
    async with house.worker(play, leases=Cut):
        await asyncio.wait_for(begun.wait(), 10)
        Cut.cut = True
        await asyncio.wait_for(stopped.wait(), 10)
        Cut.cut = False
        await house.over(build_id)
    sweeping.cancel()
    job = await house.transitions.job(build_id)
    assert (job.state, job.crashes, job.attempt) == (State.SUCCEEDED, 0, 2)
