"""The state machine of `domain.md`, the days of a plan, parking, and what lies among the dead letters."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
import pytest_asyncio

from cofounder.runner.v1 import build_pb2
from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import errors
from cofounder_server.builds import days
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.model import NEXT, OVER, State
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Order, Starter
from cofounder_server.builds.transitions import Transitions
from cofounder_server.worker.sweep import Sweeper

pytestmark = pytest.mark.integration


class Watch:
    """A clock that stands where the test puts it (T-3)."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def transitions(pool, log, publisher, watch) -> Transitions:
    return Transitions(pool, log, publisher, watch)


@pytest.fixture
def starter(pool, log, publisher, queue, watch) -> Starter:
    return Starter(pool, log, publisher, queue, watch, rehearsal=False, max_queued=1000, day_spread_seconds=600)


@pytest.fixture
def sweeper(pool, transitions, queue, watch) -> Sweeper:
    return Sweeper(pool, transitions, queue, watch, sweep_seconds=1, lease_seconds=5, max_crashes=3)


@pytest_asyncio.fixture
async def start(starter, project):
    async def call(plan: str = "bootstrapper"):
        order = Order(creator_id="me", payer_id="me", project_id=project, plan_slug=plan, goal="g", request_id=uuid4())
        return (await starter.start(order))[0]

    return call


async def kinds(log, build_id) -> list[str]:
    stretch = await log.read(build_id, after=0)
    return [event.WhichOneof("kind") for event in WatchBuildResponse.FromString(stretch.body).events]


@pytest.mark.unit
def test_the_state_machine_is_the_one_of_the_domain():
    assert set(NEXT) == set(State)
    assert all(not NEXT[state] for state in OVER), "what is over stays"
    reached = {State.SCHEDULED, State.QUEUED}
    while (more := {state for known in reached for state in NEXT[known]} - reached) != set():
        reached |= more
    assert reached == set(State)
    assert all(State.CANCELLED in NEXT[state] for state in set(State) - OVER), "cancel in every state (B-11)"
    assert not State.SCHEDULED.may_become(State.STARTING), "a worker takes only what waits in the queue"
    assert not State.WAITING.may_become(State.RUNNING)


async def test_a_transition_that_the_machine_does_not_know_is_refused_and_changes_nothing(transitions, log, start):
    build_id = await start()
    with pytest.raises(RuntimeError, match="queued to running"):
        async with transitions._locked(build_id) as change:
            await change.move(State.RUNNING, "update builds set state = 'running' where build_id = $1")
    assert (await transitions.job(build_id)).state is State.QUEUED


async def test_an_attempt_is_starting_until_its_first_stage(transitions, start):
    build_id = await start()
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    assert (await transitions.job(build_id)).state is State.STARTING
    await transitions.mark_running(build_id, generation=attempt.generation - 1)
    assert (await transitions.job(build_id)).state is State.STARTING, "one that lost its lease says nothing"
    await transitions.mark_running(build_id, generation=attempt.generation)
    assert (await transitions.job(build_id)).state is State.RUNNING
    assert await transitions.begin_attempt(build_id, worker_id="x", owner="p") is None, "one holder"


async def test_the_sixth_build_of_a_day_waits_for_the_next_and_its_start_is_spread(
    transitions, queue, log, pool, watch, sweeper, start
):
    """Over the day's builds: scheduled for the next UTC day with jitter."""
    today = [await start() for _ in range(5)]
    late = [await start() for _ in range(4)]
    assert (await queue.contents()).waiting == set(today)
    builds = [(await Builds(pool).get(build_id))[0] for build_id in late]
    assert {build.state for build in builds} == {build_pb2.BUILD_STATE_SCHEDULED}
    times = [build.start_after_time.ToDatetime(UTC) for build in builds]
    midnight = datetime(2026, 11, 2, tzinfo=UTC)
    assert all(midnight <= time < midnight + timedelta(seconds=600) for time in times)
    assert len(set(times)) == 4
    watch.time = midnight + timedelta(seconds=600)
    await sweeper.sweep()
    assert (await queue.contents()).waiting == {*today, *late}
    assert await kinds(log, late[0]) == ["build_accepted", "build_queued"]
    build, _ = await Builds(pool).get(late[0])
    assert (build.state, build.HasField("start_after_time")) == (build_pb2.BUILD_STATE_QUEUED, False)


async def test_a_scheduled_build_has_the_place_of_its_start_less_the_head_start(transitions, pool, start):
    for _ in range(50):
        await start("partner")
    job = await transitions.job(await start("partner"))
    assert job.priority == int(job.start_after.timestamp() * 1000) - 300_000


async def test_of_twenty_builds_at_once_the_day_takes_five(queue, start):
    await asyncio.gather(*(start() for _ in range(20)))
    assert len((await queue.contents()).waiting) == 5


async def test_when_the_coming_days_are_spent_too_a_build_is_refused(pool, start):
    for _ in range(5 * (days.MAX_DAYS_AHEAD + 1)):
        await start()
    before = await pool.fetchval("select count(*) from builds")
    with pytest.raises(errors.QuotaExceeded) as refused:
        await start()
    assert refused.value.metadata["resetTime"] == "2026-11-02T00:00:00Z"
    assert refused.value.retry_after == pytest.approx(14.5 * 3600)
    assert await pool.fetchval("select count(*) from builds") == before


async def test_a_build_that_is_cancelled_before_it_begins_gives_its_day_back(transitions, queue, start):
    builds = [await start() for _ in range(5)]
    scheduled = await start()
    await transitions.cancel(scheduled, user_id="me")
    await transitions.cancel(builds[0], user_id="me")
    await transitions.cancel(builds[0], user_id="me")
    again = await start()
    assert (await transitions.job(again)).state is State.QUEUED
    assert (await transitions.job(await start())).state is State.SCHEDULED


async def test_a_build_that_began_keeps_its_day_when_it_is_cancelled(transitions, start):
    builds = [await start() for _ in range(5)]
    await transitions.begin_attempt(builds[0], worker_id="w", owner="o")
    await transitions.hand_back(builds[0], generation=1)
    await transitions.cancel(builds[0], user_id="me")
    assert (await transitions.job(await start())).state is State.SCHEDULED


async def test_days_are_utc_days_whatever_the_time_zone_of_the_process(start, watch, transitions):
    """A-27: one second before midnight UTC is today, one second after is tomorrow."""
    # In Kolkata it is the next day already.
    kolkata = timezone(timedelta(hours=5, minutes=30))
    watch.time = datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC).astimezone(kolkata)
    for _ in range(5):
        await start()
    watch.time += timedelta(seconds=1)
    assert (await transitions.job(await start())).state is State.QUEUED


async def test_a_parked_build_holds_nothing_and_goes_on_when_its_time_has_come(
    transitions, queue, log, watch, sweeper, start
):
    build_id = await start()
    assert await queue.claim("o", {"": (1, 1)}) == build_id
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    until = watch.now() + timedelta(minutes=5)
    await transitions.park(build_id, generation=attempt.generation, state=State.WAITING, until=until)
    await queue.release(build_id, "o")
    with pytest.raises(LeaseLost):
        await transitions.park(build_id, generation=attempt.generation, state=State.WAITING)
    await sweeper.sweep()
    contents = await queue.contents()
    assert not contents.waiting
    assert not contents.holdings
    watch.time = until
    await sweeper.sweep()
    assert await queue.claim("p", {"": (1, 1)}) == build_id
    again = await transitions.begin_attempt(build_id, worker_id="w", owner="p")
    assert again.job.priority == attempt.job.priority, "its old place"
    stretch = await log.read(build_id, after=0)
    [*_, started] = WatchBuildResponse.FromString(stretch.body).events
    assert started.attempt_started.reason == lifecycle.ATTEMPT_REASON_UNPARKED


@pytest.mark.parametrize("state", [State.WAITING, State.PAUSED])
async def test_b_11_cancel_while_parked(transitions, log, start, state):
    build_id = await start()
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    await transitions.park(build_id, generation=attempt.generation, state=state)
    await transitions.cancel(build_id, user_id="me")
    assert (await kinds(log, build_id))[-1] == "build_cancelled"


async def test_b_11_a_cancel_that_meets_a_worker_letting_go_ends_the_build(transitions, log, start):
    build_id = await start()
    attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")
    await transitions.cancel(build_id, user_id="me")
    assert not await transitions.hand_back(build_id, generation=attempt.generation)
    assert (await kinds(log, build_id))[-1] == "build_cancelled"


async def test_b_7_the_dead_letters_name_what_was_given_up(transitions, start):
    build_id = await start()
    for _ in range(3):
        await transitions.begin_attempt(build_id, worker_id="w", owner="o")
        await transitions.take_back(build_id, max_crashes=3)
    job = await transitions.job(build_id)
    assert (job.state, job.dead_letter_time is not None) == (State.FAILED, True)
