"""Forks share their parent's log by reference: the same bytes under the same sequences, then their own."""

from uuid import uuid4

import pytest
import pytest_asyncio

from cofounder.runner.v1 import build_pb2
from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta, UsageRecorded
from cofounder.runner.v1.event_work_pb2 import FileWritten
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder.runner.v1.stage_pb2 import STAGE_ARCHITECT, STAGE_CODER
from cofounder_server import errors
from cofounder_server.builds import fold
from cofounder_server.builds.fork import Forks
from cofounder_server.builds.model import State
from cofounder_server.builds.read import Builds
from cofounder_server.builds.watch import Watches
from cofounder_server.clock import WallClock

pytestmark = pytest.mark.integration


@pytest.fixture
def forks(pool, log, publisher, queue) -> Forks:
    return Forks(pool, log, publisher, queue, WallClock())


def finished(stage) -> BuildEvent:
    return BuildEvent(stage_finished=lifecycle.StageFinished(stage=stage, iteration=1))


def started(stage) -> BuildEvent:
    return BuildEvent(stage_started=lifecycle.StageStarted(stage=stage, iteration=1))


WORK = (
    started(STAGE_ARCHITECT),  # 3
    BuildEvent(usage_recorded=UsageRecorded(generation_id="g", cost_microdollars=70)),
    finished(STAGE_ARCHITECT),  # 5
    started(STAGE_CODER),
    BuildEvent(file_written=FileWritten(path="a.py", size_bytes=1, sha256=b"a" * 32)),
    finished(STAGE_CODER),  # 8
    BuildEvent(text_delta=TextDelta(text="cut short")),
)


@pytest_asyncio.fixture
async def dead(transitions, new_build, append):
    """A build that was given up after two finished stages: its events, and that it lies among the dead letters."""
    build_id = await new_build()
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    await append(build_id, attempt.head, *map(copy, WORK), generation=attempt.generation)
    await transitions.take_back(build_id, max_crashes=1)
    return build_id


def copy(event: BuildEvent) -> BuildEvent:
    made = BuildEvent()
    made.CopyFrom(event)
    return made


async def whole(log, build_id) -> bytes:
    body, cursor = b"", 0
    while (stretch := await log.read(build_id, after=cursor, max_bytes=1)).body:
        body, cursor = body + stretch.body, stretch.last
    return body


def events(body: bytes) -> list[BuildEvent]:
    return list(WatchBuildResponse.FromString(body).events)


async def test_a_dead_letter_goes_on_from_its_last_finished_stage(forks, log, transitions, queue, dead):
    fork, through = await forks.replay(dead)
    assert through == 8
    parents, own = events(await whole(log, dead)), await whole(log, fork)
    assert own.startswith(b"".join(_encoded(parents[:8]))), "the same bytes"
    assert [event.sequence for event in events(own)] == list(range(1, 10))
    origin = events(own)[-1].build_accepted.origin
    assert (origin.build_id, origin.sequence) == (str(dead), 8)
    assert (await transitions.job(fork)).state is State.QUEUED
    assert fork in (await queue.contents()).waiting
    assert (await transitions.job(dead)).dead_letter_time is None, "it goes on: it lies there no more"


def _encoded(some) -> list[bytes]:
    return [WatchBuildResponse(events=[event]).SerializeToString() for event in some]


async def test_replayed_twice_it_is_one_fork(forks, dead):
    assert await forks.replay(dead) == await forks.replay(dead)


async def test_a_request_id_that_came_with_something_else_is_a_conflict(forks, transitions, pool, dead):
    parent = await transitions.job(dead)
    used = await pool.fetchval("select request_id from builds where build_id = $1", dead)
    with pytest.raises(errors.RequestIdReused):
        await forks.fork(parent, request_id=used)
    mine = uuid4()
    await forks.fork(parent, request_id=mine, at_sequence=5)
    with pytest.raises(errors.RequestIdReused):
        await forks.fork(parent, request_id=mine, at_sequence=8)


async def test_what_is_not_dead_is_not_replayed(forks, new_build):
    with pytest.raises(errors.WrongState, match="dead letters"):
        await forks.replay(await new_build())
    with pytest.raises(errors.NotFound):
        await forks.replay(uuid4())


@pytest.mark.parametrize(("asked", "shared"), [(0, 8), (100, 8), (8, 8), (7, 5), (5, 5), (4, 1), (1, 1)])
async def test_a_fork_begins_at_the_last_finished_stage_at_or_before_the_asked_sequence(
    forks, transitions, dead, asked, shared
):
    parent = await transitions.job(dead)
    _, through = await forks.fork(parent, request_id=uuid4(), at_sequence=asked)
    assert through == shared


async def test_a_stage_that_a_later_attempt_voided_is_no_place_to_leave_at(forks, log, transitions, new_build, append):
    build_id = await new_build()
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    await append(build_id, 2, *map(copy, WORK), generation=attempt.generation)
    await transitions.take_back(build_id, max_crashes=3)
    again = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    kept = events((await log.read(build_id, after=again.head - 1)).body)[0].attempt_started.kept_through_sequence
    _, through = await forks.fork(await transitions.job(build_id), request_id=uuid4())
    assert through == max(kept, 1)


async def test_the_work_is_shared_and_the_cost_begins_at_zero(forks, pool, log, dead):
    fork, _ = await forks.replay(dead)
    build, snapshot = await Builds(pool).get(fork)
    assert [file.path for file in snapshot.files] == ["a.py"]
    assert build.cost_microdollars == snapshot.usage.cost_microdollars == 0
    assert build.state == build_pb2.BUILD_STATE_QUEUED
    assert not build.HasField("error")
    expected = fold.fold(events(await whole(log, fork)))
    expected.build.build_id, expected.build.oldest_sequence = str(fork), 1
    assert snapshot == expected, "fold(events) == snapshot"


async def test_a_fork_is_watched_from_any_cursor_and_a_fork_of_a_fork_too(
    forks, log, transitions, append, redis_client, dead
):
    fork, _ = await forks.replay(dead)
    attempt = await transitions.begin_attempt(fork, worker_id="w", owner="o")
    await append(fork, attempt.head, started(STAGE_CODER), finished(STAGE_CODER), generation=attempt.generation)
    grandchild, through = await forks.fork(await transitions.job(fork), request_id=uuid4())
    assert through == 12
    await transitions.cancel(grandchild, user_id="me")
    all_of_it = events(await whole(log, grandchild))
    assert [event.sequence for event in all_of_it] == list(range(1, 16))
    async with Watches(log, redis_client) as watches:
        for cursor in range(len(all_of_it) + 1):
            seen = []
            async for stretch in watches.follow(grandchild, after=cursor, progress_seconds=60):
                seen += events(stretch.body)
            assert seen == all_of_it[cursor:]
