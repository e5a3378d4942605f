"""The watch's side of the promises, against the real log and the real wire (design, section 1)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import pytest
import pytest_asyncio
import redis.asyncio as redis

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import errors
from cofounder_server.builds import framing
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Stretch, Verdict
from cofounder_server.builds.watch import Watches
from cofounder_server.builds.wire import Publisher, channel

pytestmark = pytest.mark.integration

DEADLINE = 20  # seconds until a watch that should end is called hung


@pytest_asyncio.fixture
async def watches(log: Log, redis_client: redis.Redis) -> AsyncIterator[Watches]:
    async with Watches(log, redis_client, poll_seconds=0.1) as opened:
        yield opened


async def watched(watches: Watches, build_id: UUID, *, after: int = 0, until: int | None = None) -> list[int]:
    """Watches to the end, or until a sequence; checks each stretch against its events."""
    seen, cursor = [], after
    async with (
        asyncio.timeout(DEADLINE),
        aclosing(watches.follow(build_id, after=after, progress_seconds=60)) as stretches,
    ):
        async for stretch in stretches:
            assert stretch.after == cursor, "Reliable: a stretch begins where the former ended"
            cursor = stretch.last
            seen += [event.sequence for event in WatchBuildResponse.FromString(stretch.body).events]
            assert not seen or seen[-1] == cursor
            if until is not None and cursor >= until:
                return seen
    return seen


async def produce(append, publisher, build_id: UUID, count: int, *, after: int = 1, lose: float = 0.0) -> int:
    """Appends `count` events and publishes them, except for a share that is lost on the wire."""
    chance = random.Random(7)
    for expected in range(after, after + count):
        event = BuildEvent(text_delta=TextDelta(text=str(expected)))
        while (await append(build_id, expected, event)).verdict is not Verdict.OK:
            await asyncio.sleep(0)
        if chance.random() >= lose:
            body = event.SerializeToString()
            body = framing.TAG + framing.varint(len(body)) + body
            await publisher.publish([Stretch(build_id, expected, expected + 1, body, over=False)])
    return after + count


@pytest.mark.parametrize("lose", [0.0, 0.5, 1.0], ids=["a whole wire", "a wire that loses half", "no wire at all"])
async def test_ordered_unique_reliable_whatever_the_wire_loses(watches, append, publisher, new_build, lose):
    """C-2, C-4: live and history, by many watchers that join at any time."""
    build_id = await new_build()
    producing = asyncio.create_task(produce(append, publisher, build_id, 150, lose=lose))
    seen = await asyncio.gather(*(watched(watches, build_id, after=after, until=151) for after in (0, 0, 1, 1)))
    await producing
    assert seen[0] == seen[1] == list(range(1, 152))
    assert seen[2] == seen[3] == list(range(2, 152))


async def test_resumable_after_any_sequence_on_any_server(log, redis_client, append, publisher, new_build):
    """A watch cut at every sequence, each time resumed on another of two servers, adds up to the whole."""
    build_id = await new_build()
    await produce(append, publisher, build_id, 30)
    async with Watches(log, redis_client) as one, Watches(log, redis_client) as other:
        for cut in range(32):
            first = await watched(one, build_id, until=cut) if cut else []
            kept = [sequence for sequence in first if sequence <= cut]
            rest = await watched(other, build_id, after=cut, until=31) if cut < 31 else []
            assert kept + rest == list(range(1, 32))


async def test_reliable_an_event_between_reading_history_and_attaching_is_delivered_once(
    log, redis_client, append, publisher, new_build
):
    """Example 77, with a subscription confirmed late: the append falls between the subscription and the head read."""
    build_id = await new_build()

    class LateLog(Log):
        async def head(self, build_id):
            found = await super().head(build_id)
            if found.head == 1:
                await produce(append, publisher, build_id, 1)
            return found

    late = LateLog(log._pool)
    async with Watches(late, redis_client, poll_seconds=3600) as watches:
        assert await watched(watches, build_id, until=2) == [1, 2]


async def test_an_emptied_redis_costs_a_poll_and_no_event(watches, redis_client, append, publisher, new_build):
    """Example 73."""
    build_id = await new_build()
    watching = asyncio.create_task(watched(watches, build_id, until=41))
    await produce(append, publisher, build_id, 20)
    await redis_client.flushall()
    await redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await produce(append, publisher, build_id, 20, after=21)
    assert await watching == list(range(1, 42))


async def test_terminated_a_watch_ends_after_the_terminal_event_and_one_begun_later_ends_at_once(
    watches, transitions, new_build
):
    """C-5, example 81."""
    build_id = await new_build()
    watching = asyncio.create_task(watched(watches, build_id))
    await transitions.cancel(build_id, user_id="me")
    assert await watching == [1, 2, 3]
    assert await watched(watches, build_id) == [1, 2, 3]
    assert await watched(watches, build_id, after=3) == []


async def test_terminated_also_when_nobody_published_the_terminal_event(watches, pool, log, redis_client, new_build):
    """Example 79: the wake-up is lost with its writer; the poll tells."""
    from cofounder_server.builds.transitions import Transitions
    from cofounder_server.clock import WallClock

    class Mute(Publisher):
        async def publish(self, stretches):
            pass

    build_id = await new_build()
    watching = asyncio.create_task(watched(watches, build_id))
    await Transitions(pool, log, Mute(redis_client), WallClock()).cancel(build_id, user_id="me")
    assert await watching == [1, 2, 3]


async def test_bookmarkable_a_quiet_watch_still_carries_its_cursor(watches, new_build):
    """C-7: progress has no sequence of its own and is not stored (example 91)."""
    build_id = await new_build()
    async with (
        asyncio.timeout(DEADLINE),
        aclosing(watches.follow(build_id, after=0, progress_seconds=0.1)) as stretches,
    ):
        first = await anext(stretches)
        quiet = [await anext(stretches) for _ in range(3)]
    assert first.last == 1
    assert [(stretch.after, stretch.last, stretch.body) for stretch in quiet] == [(1, 1, b"")] * 3


async def test_honest_a_cursor_in_the_future_or_too_old_is_refused_with_the_nearest_valid_one(watches, pool, new_build):
    """C-3."""
    build_id = await new_build()
    with pytest.raises(errors.SequenceInFuture) as future:
        await watches.admit(build_id, 2)
    assert future.value.metadata["lastSequence"] == "1"
    await pool.execute("update build_heads set oldest = 10, head = 20 where build_id = $1", build_id)
    with pytest.raises(errors.EventsCompacted) as old:
        await watches.admit(build_id, 8)
    assert old.value.metadata["oldestSequence"] == "10"
    assert (await watches.admit(build_id, 9)).head == 20


async def test_unhurried_a_reader_that_never_reads_slows_nobody_and_holds_a_bounded_ring(
    watches, append, publisher, new_build
):
    """C-8: the slow one is served from the log when it wakes."""
    from cofounder_server.builds.tail import RING_BYTES

    build_id = await new_build()
    async with aclosing(watches.follow(build_id, after=0, progress_seconds=60)) as slow:
        assert (await anext(slow)).last == 1
        big = BuildEvent(text_delta=TextDelta(text="x" * 200_000))
        fast = asyncio.create_task(watched(watches, build_id, until=13))
        for expected in range(1, 13):
            await append(build_id, expected, big)
            body = big.SerializeToString()
            body = framing.TAG + framing.varint(len(body)) + body
            await publisher.publish([Stretch(build_id, expected, expected + 1, body, over=False)])
        assert await fast == list(range(1, 14))
        tail = watches._tails[build_id]
        assert sum(len(stretch.body) for stretch in tail._ring) <= RING_BYTES + 200_100
        cursor = 1
        async with asyncio.timeout(DEADLINE):
            async for stretch in slow:
                assert stretch.after == cursor
                cursor = stretch.last
                if cursor == 13:
                    break


async def test_a_thousand_watchers_cost_one_subscription(watches, redis_client, append, publisher, new_build):
    """C-13, example 83: connections and reads of Redis do not grow with the watchers."""
    build_id = await new_build()
    before = len(await redis_client.client_list())
    watching = [asyncio.create_task(watched(watches, build_id, until=11)) for _ in range(1000)]
    await produce(append, publisher, build_id, 10)
    seen = await asyncio.gather(*watching)
    assert all(sequences == list(range(1, 12)) for sequences in seen)
    assert len(await redis_client.client_list()) == before
    assert await redis_client.execute_command("PUBSUB", "SHARDCHANNELS") == []


async def test_a_reader_who_leaves_while_the_tail_is_opened_leaves_no_subscription_behind(log, redis_client, new_build):
    build_id = await new_build()
    reached, go_on = asyncio.Event(), asyncio.Event()

    class SlowLog(Log):
        async def head(self, build_id):
            reached.set()
            await go_on.wait()
            return await super().head(build_id)

    async with Watches(SlowLog(log._pool), redis_client) as watches:
        reader = asyncio.create_task(watched(watches, build_id, until=1))
        await reached.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        go_on.set()
        await no_subscription(redis_client, build_id)
        assert await watched(watches, build_id, until=1) == [1], "and who comes next is served"


async def test_a_reader_whose_tail_cannot_be_opened_leaves_no_subscription_behind(log, redis_client, new_build):
    build_id = await new_build()

    class BrokenLog(Log):
        async def head(self, build_id):
            raise ConnectionError("Postgres is away")

    async with Watches(BrokenLog(log._pool), redis_client) as watches:
        with pytest.raises(ConnectionError):
            await watched(watches, build_id, until=1)
        await no_subscription(redis_client, build_id)


async def no_subscription(redis_client: redis.Redis, build_id: UUID) -> None:
    """Waits until nobody is subscribed to a build any more."""
    async with asyncio.timeout(DEADLINE):
        while channel(build_id) in await redis_client.execute_command("PUBSUB", "SHARDCHANNELS"):
            await asyncio.sleep(0.01)
