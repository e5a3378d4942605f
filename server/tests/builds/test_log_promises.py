"""The log's side of the promises: who may append, in which order, and what a lost answer does (design, section 1)."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server.builds import framing
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Verdict
from cofounder_server.builds.transitions import Transitions

pytestmark = pytest.mark.integration


async def sequences(log: Log, build_id) -> list[int]:
    found, cursor = [], 0
    while (stretch := await log.read(build_id, after=cursor, max_bytes=64)).body:
        found += [event.sequence for event in WatchBuildResponse.FromString(stretch.body).events]
        cursor = stretch.last
    return found


async def test_ordered_each_event_takes_the_next_sequence_in_the_step_that_appends_it(log, new_build, append):
    """C-1: dense, from 1, assigned by the append."""
    build_id = await new_build()
    for expected in range(1, 20):
        assert (await append(build_id, expected)).head == expected + 1
    assert await sequences(log, build_id) == list(range(1, 21))


async def test_two_committers_never_share_a_sequence_and_the_loser_is_told_where_the_head_is(log, new_build, append):
    build_id = await new_build()
    outcomes = await asyncio.gather(*(append(build_id, 1) for _ in range(20)))
    assert [outcome.verdict for outcome in outcomes].count(Verdict.OK) == 1
    assert {outcome.verdict for outcome in outcomes} <= {Verdict.OK, Verdict.MOVED, Verdict.BUSY}
    assert all(outcome.head == 2 for outcome in outcomes if outcome.verdict is Verdict.MOVED)
    assert await sequences(log, build_id) == [1, 2]


async def test_two_committers_with_builds_in_opposite_orders_cannot_deadlock(log, new_build):
    """Design, section 1: `skip locked`; plain row locks deadlocked 43 times in 200."""
    builds = [await new_build() for _ in range(8)]
    body = framing.encode([], after=1, time=None)

    async def commit(order) -> None:
        batches = [
            Batch(build_id=b, append_id=uuid4(), expected=1, count=1, body=body + b"\x0a\x00", generation=0)
            for b in order
        ]
        for _ in range(30):
            await log.append(batches)

    await asyncio.gather(*(commit(order) for order in (builds, builds[::-1]) for _ in range(4)))
    assert {head for head, _ in (await log.heads(builds)).values()} == {2}


async def test_a_stalled_head_stalls_no_other_build(log, pool, new_build, append):
    """One statement decides for each build by itself: a head that somebody holds is `busy`, the others go on."""
    stalled, free = await new_build(), await new_build()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select 1 from build_heads where build_id = $1 for update", stalled)
        batches = [
            Batch(build_id=b, append_id=uuid4(), expected=1, count=1, body=b"\x0a\x00", generation=0)
            for b in (stalled, free)
        ]
        outcomes = await asyncio.wait_for(log.append(batches), 5)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.BUSY, Verdict.OK]
    assert (await append(stalled, 1)).verdict is Verdict.OK


async def test_fenced_a_worker_that_lost_its_lease_can_append_nothing(log, transitions: Transitions, new_build, append):
    """B-3, Fenced."""
    build_id = await new_build()
    first = await transitions.begin_attempt(build_id, worker_id="first", owner="o1")
    await transitions.take_back(build_id, max_crashes=3)
    second = await transitions.begin_attempt(build_id, worker_id="second", owner="o2")
    assert second.generation > first.generation
    assert (await append(build_id, second.head, generation=first.generation)).verdict is Verdict.FENCED
    assert (await append(build_id, second.head, generation=second.generation)).verdict is Verdict.OK
    with pytest.raises(LeaseLost):
        await transitions.finish(build_id, generation=first.generation, append_id=uuid4(), events=[])


async def test_fenced_the_sweeper_raises_the_generation_before_it_queues_a_build_again(transitions, new_build, append):
    build_id = await new_build()
    attempt = await transitions.begin_attempt(build_id, worker_id="lost", owner="o")
    await transitions.take_back(build_id, max_crashes=3)
    outcome = await append(build_id, attempt.head + 1, generation=attempt.generation)
    assert outcome.verdict is Verdict.FENCED


async def test_reliable_an_append_whose_acknowledgement_was_lost_is_found_and_not_repeated(log, new_build, append):
    """C-1: a retried append cannot duplicate."""
    build_id = await new_build()
    append_id = uuid4()
    assert (await append(build_id, 1, append_id=append_id)).verdict is Verdict.OK
    assert (await append(build_id, 1, append_id=append_id)).verdict is Verdict.MOVED
    assert await log.found(append_id) == 2
    assert await log.found(uuid4()) is None


async def test_durable_what_is_answered_ok_is_committed_with_fsync_on(log, pool, new_build, append):
    build_id = await new_build()
    await append(build_id, 1)
    for setting in ("fsync", "synchronous_commit"):
        assert await pool.fetchval("select current_setting($1)", setting) == "on"
    assert await sequences(log, build_id) == [1, 2]


async def test_terminated_nothing_follows_a_terminal_event(transitions, log, new_build, append):
    build_id = await new_build()
    await transitions.cancel(build_id, user_id="me")
    head = await log.head(build_id)
    assert head.sealed
    assert (await append(build_id, head.head, generation=head.generation)).verdict is Verdict.SEALED
    assert (await append(build_id, head.head, generation=None)).verdict is Verdict.SEALED


async def test_terminated_of_two_terminal_events_at_once_exactly_one_stands(transitions, log, new_build):
    """Example 59: cancel at the very moment of completion; the answers agree with the one that stands."""
    from cofounder.runner.v1.build_event_pb2 import BuildEvent
    from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded

    for _ in range(25):
        build_id = await new_build()
        attempt = await transitions.begin_attempt(build_id, worker_id="w", owner="o")

        async def succeed(build_id=build_id, attempt=attempt) -> str:
            try:
                await transitions.finish(
                    build_id,
                    generation=attempt.generation,
                    append_id=uuid4(),
                    events=[BuildEvent(build_succeeded=BuildSucceeded())],
                )
            except LeaseLost:
                return "lost"
            return "succeeded"

        async def lose(build_id=build_id) -> str:
            await transitions.take_back(build_id, max_crashes=1)
            return "swept"

        answers = await asyncio.gather(succeed(), lose())
        stretch = await log.read(build_id, after=0)
        kinds = [event.WhichOneof("kind") for event in WatchBuildResponse.FromString(stretch.body).events]
        terminal = [kind for kind in kinds if kind in ("build_succeeded", "build_failed")]
        assert terminal == kinds[-1:]
        assert (terminal == ["build_succeeded"]) == (answers[0] == "succeeded")


async def test_a_cursor_inside_a_batch_is_served_from_the_next_event_on(log, new_build, append):
    from cofounder.runner.v1.build_event_pb2 import BuildEvent
    from cofounder.runner.v1.event_agent_pb2 import TextDelta

    build_id = await new_build()
    events = [BuildEvent(text_delta=TextDelta(text="é" * size)) for size in (0, 1, 70, 9000)]
    await append(build_id, 1, *events)
    for cursor in range(1, 5):
        stretch = await log.read(build_id, after=cursor)
        read = WatchBuildResponse.FromString(stretch.body).events
        assert [event.sequence for event in read] == list(range(cursor + 1, 6))
        assert [event.text_delta.text for event in read] == [event.text_delta.text for event in events[cursor - 1 :]]


async def test_a_batch_that_is_gone_is_an_error_and_never_a_silent_gap(log, pool: asyncpg.Pool, new_build, append):
    build_id = await new_build()
    await append(build_id, 1)
    await pool.execute("delete from build_batches where build_id = $1 and last_sequence = 1", build_id)
    with pytest.raises(LookupError):
        await log.read(build_id, after=0)
