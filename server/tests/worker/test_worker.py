"""A build in the hands of workers: played, cancelled, lost, taken back, handed back."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from cofounder.errors.v1 import error_reason_pb2
from cofounder.runner.v1 import event_lifecycle_pb2 as lifecycle
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_pb2 import BUILD_STATE_QUEUED, BUILD_STATE_WAITING
from cofounder.runner.v1.event_agent_pb2 import TextDelta, UsageRecorded
from cofounder.runner.v1.event_work_pb2 import CommandOutput
from cofounder_server import errors
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import State
from cofounder_server.builds.queue import LEASES, Entry, IndexLost
from cofounder_server.worker.leases import Leases

pytestmark = pytest.mark.integration

# No limit for any plan.
ANY = {"": (-1, -1)}


def text(words: str) -> BuildEvent:
    return BuildEvent(text_delta=TextDelta(generation_id="g", text=words))


async def succeed():
    for word in ("one ", "two ", "three"):
        yield text(word)
        await asyncio.sleep(0)
    yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded(summary="done"))


async def never():
    yield text("begun")
    await asyncio.Event().wait()


def written(events) -> str:
    return "".join(event.text_delta.text for event in events)


async def test_a_build_is_played_to_its_end(house, checked):
    build_id = await house.start()
    async with house.worker(succeed):
        events = await house.over(build_id)
    kinds = checked(events)
    assert kinds[:2] == ["build_accepted", "attempt_started"]
    assert kinds[-1] == "build_succeeded"
    assert written(events) == "one two three"
    assert (await house.transitions.job(build_id)).state is State.SUCCEEDED


async def test_when_all_is_over_no_lease_and_no_waiting_build_is_left(house):
    builds = [await house.start() for _ in range(5)]
    async with house.worker(succeed):
        for build_id in builds:
            await house.over(build_id)
        async with asyncio.timeout(10):
            while (contents := await house.queue.contents()).waiting or contents.holdings:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "fault", [errors.ProviderFailed(kind="overloaded", retry_after=60), RuntimeError("secret detail")]
)
async def test_a_fault_of_the_runner_is_a_terminal_event_that_tells_no_more_than_it_may(house, checked, fault):
    """D-12: ours is a code and a debug id only."""

    async def fail():
        yield text("so far")
        raise fault

    build_id = await house.start()
    async with house.worker(fail):
        events = await house.over(build_id)
    assert checked(events)[-1] == "build_failed"
    status = events[-1].build_failed.error
    assert "secret detail" not in str(status)
    assert status.details, "a terminal failure carries what an RPC's error does"


async def test_a_runner_without_a_terminal_event_is_our_fault_and_still_ends_the_build(house, checked):
    async def stop():
        yield text("and then nothing")

    build_id = await house.start()
    async with house.worker(stop):
        assert checked(await house.over(build_id))[-1] == "build_failed"


async def test_b_11_cancel_while_it_runs(house, checked):
    stopped = asyncio.Event()

    async def stubborn():
        try:
            yield text("begun")
            await asyncio.Event().wait()
        finally:
            stopped.set()

    build_id = await house.start()
    async with house.worker(stubborn):
        await house.reaches(build_id, "text_delta")
        sequence = await house.transitions.cancel(build_id, user_id="me")
        assert await house.transitions.cancel(build_id, user_id="me") == sequence, "idempotent"
        events = await house.over(build_id)
    assert checked(events)[-1] == "build_cancelled"
    assert events[sequence - 1].WhichOneof("kind") == "cancel_requested"
    assert events[-1].cause_sequence == sequence
    assert stopped.is_set(), "the runner was stopped before the terminal event"


async def test_b_11_cancel_while_it_waits_and_it_is_never_played(house, checked):
    build_id = await house.start()
    await house.transitions.cancel(build_id, user_id="me")
    assert checked(await house.events(build_id)) == ["build_accepted", "cancel_requested", "build_cancelled"]
    other = await house.start()
    async with house.worker(succeed):
        await house.over(other)
    assert len(await house.events(build_id)) == 3


async def test_b_11_cancel_while_the_worker_is_dead_ends_with_the_sweep(house, checked):
    """Example 61: cancelled after the sweep, not resurrected."""
    build_id = await house.start()
    await house.queue.claim("dead", ANY)
    await house.transitions.begin_attempt(build_id, worker_id="dead", owner="dead")
    await house.transitions.cancel(build_id, user_id="me")
    sweeping = asyncio.create_task(house.sweeper.run())
    events = await house.over(build_id)
    sweeping.cancel()
    assert checked(events)[-1] == "build_cancelled"


class Unkept(Leases):
    """Leases of a worker that is no longer there: nobody renews them, and nobody notices."""

    def _beat(self) -> None:
        pass


async def test_b_5_a_lost_workers_build_runs_again_and_its_zombie_appends_nothing(house, checked):
    build_id = await house.start()
    scripts = iter([never, succeed])

    def play():
        return next(scripts)()

    async with house.worker(play, leases=Unkept):
        await house.reaches(build_id, "text_delta")
        sweeping = asyncio.create_task(house.sweeper.run())
        events = await house.over(build_id)
        sweeping.cancel()
    kinds = checked(events)
    assert kinds.count("attempt_started") == 2
    second = [event for event in events if event.WhichOneof("kind") == "attempt_started"][1]
    assert second.attempt_started.reason == lifecycle.ATTEMPT_REASON_WORKER_LOST
    assert written(event for event in events if event.attempt == 2) == "one two three"
    assert (await house.transitions.job(build_id)).crashes == 1


async def test_b_7_after_three_lost_workers_the_build_fails(house, checked):
    build_id = await house.start()
    for _ in range(3):
        await house.transitions.begin_attempt(build_id, worker_id="dying", owner="o")
        await house.transitions.take_back(build_id, max_crashes=3)
    events = await house.events(build_id)
    assert checked(events)[-1] == "build_failed"
    reason = error_reason_pb2.ERROR_REASON_WORKERS_LOST
    assert errors.reason_name(reason) in str(events[-1].build_failed.error)
    assert await house.transitions.begin_attempt(build_id, worker_id="late", owner="o") is None


async def test_b_8_a_drain_hands_back_without_counting_a_crash(house):
    build_id = await house.start()
    async with house.worker(never) as running:
        await house.reaches(build_id, "text_delta")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        job = await house.transitions.job(build_id)
        assert (job.state, job.crashes) == (State.QUEUED, 0)
        last = (await house.events(build_id))[-1]
        assert last.attempt_finished.next_state == BUILD_STATE_QUEUED
        assert (await house.queue.contents()).waiting == {build_id}


async def test_b_1_a_build_that_redis_never_heard_of_is_queued_by_the_sweep(house, checked):
    """Example 57: the commit succeeds, the enqueue does not."""
    build_id = await house.start()
    await house.client.flushall()
    with pytest.raises(IndexLost):
        await house.queue.claim("nobody", ANY)
    await house.sweeper.sweep()
    assert (await house.queue.contents()).waiting == {build_id}


async def test_a_build_that_was_deleted_leaves_the_index_and_ends_no_sweeper(house):
    """It waits there, or is held, and there is no row of it any more."""
    waits, held = await house.start(), await house.start()
    await house.queue.seize(Entry(held, 0, "me", house.project, "partner"), "nobody")
    await house.queue.forget(waits)
    await house.queue.add(Entry(waits, 0, "me", house.project, "partner"))
    await house.client.zadd(LEASES, {str(held): 1})
    await house.pool.execute("delete from builds")
    await house.sweeper.sweep()
    contents = await house.queue.contents()
    assert (contents.waiting, contents.holdings) == (frozenset(), {})


async def test_an_emptied_redis_takes_no_build_from_its_worker(house, checked):
    """Example 55, one build: the lease is made again by its holder, and the sweeper leaves it alone meanwhile."""
    go = asyncio.Event()

    async def wait_for_go():
        yield text("begun ")
        await go.wait()
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())

    build_id = await house.start()
    sweeping = asyncio.create_task(house.sweeper.run())
    async with house.worker(wait_for_go):
        await house.reaches(build_id, "text_delta")
        await house.client.flushall()
        async with asyncio.timeout(10):
            while not (await house.queue.contents()).holdings:
                await asyncio.sleep(0.01)
        go.set()
        events = await house.over(build_id)
    sweeping.cancel()
    assert checked(events).count("attempt_started") == 1


async def test_a_lost_acknowledgement_appends_nothing_twice(house, checked):
    """C-1, C-6: every second append commits and then breaks before the answer."""

    class Forgetful(Log):
        calls = 0

        async def append(self, batches, connection=None):
            outcomes = await super().append(batches, connection)
            self.calls += 1
            if self.calls % 2:
                raise asyncpg.ConnectionDoesNotExistError("the answer was lost")
            return outcomes

    async def slowly():
        for number in range(8):
            yield BuildEvent(usage_recorded=UsageRecorded(generation_id=str(number)))
            await asyncio.sleep(0.01)
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())

    build_id = await house.start()
    async with house.worker(slowly, log=Forgetful(house.pool)):
        events = await house.over(build_id)
    checked(events)
    recorded = [event.usage_recorded.generation_id for event in events if event.HasField("usage_recorded")]
    assert recorded == [str(number) for number in range(8)]


async def test_a_command_between_two_appends_is_kept_and_the_worker_renumbers(house, checked):
    async def slowly():
        for number in range(40):
            yield BuildEvent(usage_recorded=UsageRecorded(generation_id=str(number)))
            await asyncio.sleep(0.005)
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())

    async def interrupt(build_id):
        from cofounder.runner.v1.event_control_pb2 import WarningRaised

        for _ in range(10):
            async with house.transitions._locked(build_id) as change:
                await change.append(BuildEvent(warning_raised=WarningRaised(code="noted")))
            await asyncio.sleep(0.01)

    build_id = await house.start()
    async with house.worker(slowly):
        await house.reaches(build_id, "usage_recorded")
        await interrupt(build_id)
        events = await house.over(build_id)
    kinds = checked(events)
    assert kinds.count("warning_raised") == 10
    recorded = [event.usage_recorded.generation_id for event in events if event.HasField("usage_recorded")]
    assert recorded == [str(number) for number in range(40)]


async def test_a_snapshot_is_stored_with_the_log_and_equals_its_fold(house):
    from cofounder_server.builds import fold
    from cofounder_server.builds.read import Builds

    async def long():
        for number in range(4500):
            yield BuildEvent(usage_recorded=UsageRecorded(generation_id=str(number), cost_microdollars=1))
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded())

    build_id = await house.start()
    async with house.worker(long):
        events = await house.over(build_id)
    stored = await house.pool.fetch("select through_sequence from build_snapshots order by 1")
    assert len(stored) == 2
    build, snapshot = await Builds(house.pool).get(build_id)
    assert (build.cost_microdollars, snapshot.through_sequence) == (4500, len(events))
    expected = fold.fold(events)
    expected.build.build_id, expected.build.oldest_sequence = str(build_id), 1
    assert snapshot == expected


async def test_d_11_secrets_are_redacted_before_the_append_also_across_events(house):
    async def leak():
        for piece in (
            "my key is sk-ant-api03-",
            "AAAAAAAAAAAAAAAAAAAA",
            "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
            " and that is it. ",
        ):
            yield text(piece)
            await asyncio.sleep(0.01)
        yield BuildEvent(command_output=CommandOutput(command_id="c", text="the-process-own-"))
        yield BuildEvent(command_output=CommandOutput(command_id="c", text="secret\n"))
        yield BuildEvent(build_succeeded=lifecycle.BuildSucceeded(summary="uses the-process-own-secret"))

    build_id = await house.start()
    async with house.worker(leak):
        events = await house.over(build_id)
    whole = " ".join(map(str, events))
    assert "sk-ant-api03" not in whole
    assert "AAAA" not in whole
    assert "BBBB" not in whole
    assert "the-process-own-secret" not in whole
    assert written(events).endswith(" and that is it. ")
    assert "".join(event.command_output.text for event in events).endswith("\n")


async def test_a_request_id_starts_one_build_however_often_it_comes(house):
    """B-1, example 63: 20 parallel submits; the same key with another body is a conflict."""
    from cofounder_server.builds.start import Order

    request_id = uuid4()

    def order(goal: str) -> Order:
        return Order(
            creator_id="me", payer_id="me", project_id=house.project, plan_slug="p", goal=goal, request_id=request_id
        )

    answers = await asyncio.gather(*(house.starter.start(order("g")) for _ in range(20)))
    assert len({build_id for build_id, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    assert await house.pool.fetchval("select count(*) from builds") == 1
    with pytest.raises(errors.RequestIdReused):
        await house.starter.start(order("another"))


async def test_b_13_a_full_queue_refuses_and_changes_nothing(house):
    from cofounder_server.builds.start import Starter
    from cofounder_server.clock import WallClock

    await house.start()
    house.starter = Starter(
        house.pool, house.log, house.publisher, house.queue, WallClock(), rehearsal=False, max_queued=1
    )
    with pytest.raises(errors.QueueFull) as refused:
        await house.start()
    assert refused.value.retry_after
    assert await house.pool.fetchval("select count(*) from builds") == 1


async def test_a_build_that_meets_a_limit_of_the_day_waits_for_the_next_and_holds_nothing(house, checked):
    """A-29: «limit reached until T» is no failure: it goes on by itself, under the same limits as of then."""
    now = datetime.now(UTC)
    spent = errors.QuotaExceeded(
        quota="tokens_per_day", limit=5, plan="partner", reset_time=now + timedelta(seconds=1), now=now
    )

    async def limited():
        yield text("so far ")
        raise spent

    scripts = iter([limited, succeed])

    def play():
        return next(scripts)()

    build_id = await house.start()
    async with house.worker(play):
        parked = await house.reaches(build_id, "attempt_finished")
        assert parked.attempt_finished.next_state == BUILD_STATE_WAITING
        assert parked.attempt_finished.start_after_time.ToDatetime(UTC) == spent.reset_time
        async with asyncio.timeout(30):
            while (contents := await house.queue.contents()).waiting or contents.holdings:
                await asyncio.sleep(0.01)
        sweeping = asyncio.create_task(house.sweeper.run())
        events = await house.over(build_id)
        sweeping.cancel()
    kinds = checked(events)
    assert kinds[kinds.index("attempt_finished") :][:3] == ["attempt_finished", "build_queued", "attempt_started"]
    [warned] = [event.warning_raised for event in events if event.HasField("warning_raised")]
    assert (warned.code, "are spent until" in warned.text) == ("tokens_per_day", True)
    assert (await house.transitions.job(build_id)).crashes == 0
