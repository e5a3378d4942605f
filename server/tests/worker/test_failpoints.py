"""T-5: failpoints crash real processes before and after each durable step, and only where testing arms them."""

import asyncio
import os
import subprocess
import sys

import pytest

from cofounder_server.agent.fake import RunnerFake
from cofounder_server.agent.runner import BuildOrder
from cofounder_server.clock import VirtualClock
from cofounder_server.testing.failpoints import STEPS, Failpoint, parse

pytestmark = pytest.mark.integration


def environment(database: str, redis_url: str, tmp_path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "COFOUNDER_DATA": str(tmp_path),
        "COFOUNDER_REHEARSAL_PACE": "0",
        "GRPC_PORT": "0",
        **more,
    }


@pytest.mark.unit
def test_a_failpoint_is_a_step_a_moment_an_action_and_the_time_it_counts():
    assert parse("log.append.after=crash, queue.claim.before=stop:3") == [
        Failpoint("log.append.after", "crash"),
        Failpoint("queue.claim.before", "stop", 3),
    ]


@pytest.mark.unit
@pytest.mark.parametrize("text", ["log.append=crash", "log.eat.after=crash", "log.append.after=explode", "x"])
def test_what_is_no_failpoint_is_refused_with_those_there_are(text):
    with pytest.raises(ValueError, match=r"log\.append"):
        parse(text)


def test_the_ordinary_programs_refuse_to_start_with_one_and_testing_refuses_production(database, redis_url, tmp_path):
    armed = environment(database, redis_url, tmp_path, COFOUNDER_FAILPOINTS="log.append.after=crash")
    ordinary = [sys.executable, "-m", "cofounder_server", "work"]
    assert subprocess.run(ordinary, env=armed, capture_output=True, timeout=60).returncode == 1
    testing = [sys.executable, "-m", "cofounder_server.testing", "work"]
    refused = subprocess.run(testing, env={**armed, "COFOUNDER_ENV": "production"}, capture_output=True, timeout=60)
    assert (refused.returncode, b"production" in refused.stderr) == (1, True)


# The steps that a worker takes with a build, from the claim to the lease's release.
WORKERS_STEPS = [
    step for step in STEPS if step in ("queue.claim", "build.begin", "log.append", "wire.publish", "build.finish")
]


async def happy():
    async for event in RunnerFake("happy_path", clock=VirtualClock(), pace=0.01).run(None, BuildOrder(goal="g")):
        yield event


@pytest.mark.parametrize("moment", [f"{step}.{when}" for step in WORKERS_STEPS for when in ("before", "after")])
async def test_a_worker_that_dies_around_any_step_leaves_a_build_that_ends_once(
    house, checked, moment, database, redis_url, tmp_path
):
    """Examples 39, 41, 79: kill -9 at each failpoint; another worker goes on, or the sweeper ends it."""
    armed = environment(
        database, redis_url, tmp_path, COFOUNDER_FAILPOINTS=f"{moment}=crash", COFOUNDER_LEASE_SECONDS="0.5"
    )
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cofounder_server.testing", "work", env=armed, stderr=asyncio.subprocess.DEVNULL
    )
    build_id = await house.start(scenario="happy_path")
    async with asyncio.timeout(60):
        assert await dying.wait() == -9
    sweeping = asyncio.create_task(house.sweeper.run())
    try:
        async with house.worker(happy):
            events = await house.over(build_id)
    finally:
        sweeping.cancel()
    kinds = checked(events)
    assert kinds[-1] == "build_succeeded"
    assert kinds.count("commit_created") <= kinds.count("attempt_started") <= 2


async def test_a_held_moment_holds_one_process_until_it_is_let_go_while_its_loop_goes_on(
    house, checked, database, redis_url, tmp_path
):
    """Whoever reaches the moment says so; its lease is renewed meanwhile, because its loop ticks."""
    moment, folder = "log.append.before", tmp_path / "holds"
    folder.mkdir()
    pace = {"COFOUNDER_REHEARSAL_PACE": "0.02", "COFOUNDER_HEARTBEAT_SECONDS": "0.2"}
    armed = environment(database, redis_url, tmp_path, COFOUNDER_FAILPOINTS=f"{moment}=hold:{folder}", **pace)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cofounder_server.testing", "work", env=armed, stderr=asyncio.subprocess.DEVNULL
    )
    held = folder / f"{moment}.{worker.pid}"
    try:
        async with asyncio.timeout(120):
            while not await house.pool.fetchval("select count(*) from workers"):
                await asyncio.sleep(0.05)
        build_id = await house.start(scenario="happy_path")
        await house.reaches(build_id, "attempt_started")
        (folder / moment).touch()
        async with asyncio.timeout(60):
            while not held.exists():
                await asyncio.sleep(0.01)
        stands = (await house.log.head(build_id)).head
        for _ in range(3):
            await renewed(house.queue, build_id)
        assert (await house.log.head(build_id)).head == stands
        held.unlink()
        assert checked(await house.over(build_id))[-1] == "build_succeeded"
    finally:
        worker.kill()
        await worker.wait()


async def renewed(queue, build_id):
    """Returns once the lease lasts longer than it just did."""
    lasts = (await queue.contents()).holdings[build_id].seconds
    async with asyncio.timeout(60):
        while (now := (await queue.contents()).holdings[build_id].seconds) <= lasts:
            lasts = now
            await asyncio.sleep(0.01)
