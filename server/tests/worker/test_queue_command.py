"""T-4: `cofounder-server queue` shows the queue, its leases, permits, workers and dead letters, and acts on them."""

import asyncio
import json
import os
import sys

import pytest

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder_server.builds.model import State

pytestmark = pytest.mark.integration


@pytest.fixture
def command(database, redis_url):
    async def run(*arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cofounder_server", "queue", *arguments,
            env={**os.environ, "DATABASE_URL": database, "REDIS_URL": redis_url},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode()

    return run


async def never():
    yield BuildEvent(text_delta=TextDelta(text="begun"))
    await asyncio.Event().wait()


async def succeed():
    yield BuildEvent(build_succeeded=BuildSucceeded())


async def test_what_waits_what_is_held_and_who_holds_it(house, command):
    builds = [await house.start() for _ in range(5)]
    async with house.worker(never, slots=4):
        for build_id in builds[:3]:
            await house.reaches(build_id, "text_delta")
        code, shown = await command("--json")
        picture = json.loads(shown)
        assert code == 0
        assert {row["build_id"] for row in picture["leases"]} == {str(build_id) for build_id in builds[:3]}
        assert [row["build_id"] for row in picture["waiting"]] == [str(build_id) for build_id in builds[3:]]
        assert picture["permits"][0] == {"kind": "user", "id": "me", "held": 3, "limit": 3}
        assert [row["slots"] for row in picture["workers"]] == [4]
        assert picture["workers"][0]["builds"] == 3
        _, drawn = await command()
        assert str(builds[3]) in drawn
        for head in ("WAITING", "LEASES", "PERMITS", "WORKERS", "DEAD LETTERS"):
            assert head in drawn


async def board_read(house, *, times: int = 2) -> None:
    """Returns once the worker has looked at its board so often again."""
    seen = "select max(seen_time) from workers"
    async with asyncio.timeout(30):
        for _ in range(times):
            before = await house.pool.fetchval(seen)
            while await house.pool.fetchval(seen) == before:
                await asyncio.sleep(0.02)


async def test_a_drained_worker_takes_nothing_until_it_is_resumed(house, command):
    async with house.worker(succeed):
        await house.over(await house.start())
        assert (await command("drain", "all"))[0] == 0
        await board_read(house)
        build_id = await house.start()
        await board_read(house, times=10)
        assert (await house.transitions.job(build_id)).state is State.QUEUED
        assert (await command("resume", "all"))[0] == 0
        await house.over(build_id)
    code, said = await command("drain", "nobody")
    assert code == 1
    assert "There is no worker nobody" in said


async def test_an_operator_takes_a_build_from_its_worker(house, command):
    scripts = iter([never, succeed])

    def play():
        return next(scripts)()

    build_id = await house.start()
    async with house.worker(play):
        await house.reaches(build_id, "text_delta")
        assert (await command("requeue", str(build_id)))[0] == 0
        await house.over(build_id)
    job = await house.transitions.job(build_id)
    assert (job.state, job.attempt, job.crashes) == (State.SUCCEEDED, 2, 0)
    code, said = await command("requeue", str(build_id))
    assert code == 1
    assert "The build is succeeded" in said


async def test_a_dead_letter_is_listed_and_replayed(house, command):
    build_id = await house.start()
    for _ in range(3):
        await house.transitions.begin_attempt(build_id, worker_id="w", owner="o")
        await house.transitions.take_back(build_id, max_crashes=3)
    picture = json.loads((await command("--json"))[1])
    assert [row["build_id"] for row in picture["dead_letters"]] == [str(build_id)]
    _, said = await command("replay", str(build_id), "--json")
    fork = json.loads(said)
    assert fork["origin"] == {"build_id": str(build_id), "sequence": 1}
    assert json.loads((await command("--json"))[1])["dead_letters"] == []


async def test_without_stores_it_says_what_to_set(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cofounder_server", "queue",
        env={**os.environ, "COFOUNDER_DATA": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"DATABASE_URL is not set, and no stack ever ran" in said
