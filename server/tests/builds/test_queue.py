"""Requirements B-2, B-9, B-10: the queue's index: places, leases, permits, and what is left of it after a loss."""

import asyncio
from uuid import UUID, uuid4

import pytest
import redis.asyncio as redis

from cofounder_server.builds.queue import READY, WAITING, Entry, IndexLost, Queue

pytestmark = pytest.mark.integration

LIMITS = {"": (2, 2), "cto_scale": (10, 5), "partner": (3, 3), "bootstrapper": (2, 2)}
ANY = {"": (-1, -1)}


def entry(place: int = 0, *, payer: str = "me", project: UUID | None = None, plan: str = "bootstrapper") -> Entry:
    return Entry(uuid4(), place, payer, project or uuid4(), plan)


async def added(queue: Queue, *entries: Entry) -> None:
    for each in entries:
        await queue.add(each)


async def claim_all(queue: Queue, limits=LIMITS) -> list[UUID]:
    """Claims until nothing may run."""
    claimed: list[UUID] = []
    while build_id := await queue.claim(f"o{len(claimed)}:{uuid4()}", limits):
        claimed.append(build_id)
    return claimed


@pytest.fixture
def soon_over(queue: Queue, redis_client: redis.Redis) -> Queue:
    """A queue whose leases last a moment."""
    return Queue(redis_client, lease_seconds=0.1)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_b_9_places_decide_and_a_tie_goes_to_the_older_build(queue: Queue):
    entries = [entry(place, payer=f"u{place}-{n}") for n in range(3) for place in (30, 10, 20)]
    await added(queue, *entries)
    expected = [each.build_id for each in sorted(entries, key=lambda each: (each.place, str(each.build_id)))]
    assert await claim_all(queue) == expected


class CheckThenAdd(Queue):
    """What permits must not be: looked at in one step, taken in another."""

    async def claim(self, owner, limits):
        contents = await self.contents()
        if len(contents.holdings) >= 2:
            return None
        await asyncio.sleep(0)
        return await super().claim(owner, ANY)


async def test_b_10_of_fifty_claims_at_once_two_are_granted(queue: Queue, redis_client: redis.Redis):
    """Example 49; the naive check grants more."""

    async def granted(tried: Queue) -> int:
        await redis_client.flushdb()
        await tried.rebuild([entry(n) for n in range(60)], [])
        answers = await asyncio.gather(*(tried.claim(f"w{n}", LIMITS) for n in range(50)))
        return sum(answer is not None for answer in answers)

    assert await granted(queue) == 2
    assert await granted(CheckThenAdd(redis_client, lease_seconds=5)) > 2


async def test_b_10_a_projects_permits_hold_beside_its_users(queue: Queue):
    project = uuid4()
    await added(queue, *(entry(n, payer=f"u{n}", project=project) for n in range(5)))
    assert len(await claim_all(queue)) == 2


async def test_b_10_asked_twice_for_one_claim_it_is_granted_once(queue: Queue):
    """Example 53: the answer was lost, and the question is asked again with the same token."""
    await added(queue, *(entry(n) for n in range(5)))
    first = await queue.claim("w", LIMITS)
    assert await queue.claim("w", LIMITS) == first
    assert len((await queue.contents()).holdings) == 1
    assert len(await claim_all(queue)) == 1


async def test_b_9_a_blocked_build_keeps_its_place_and_blocks_nobody(queue: Queue):
    """Example 45: neither dropped nor overtaken by its own user's later builds."""
    mine = [entry(place) for place in range(5)]
    others = [entry(100 + n, payer=f"u{n}") for n in range(3)]
    await added(queue, *mine, *others)
    claimed = await claim_all(queue)
    assert claimed == [mine[0].build_id, mine[1].build_id, *(each.build_id for each in others)]
    assert (await queue.contents()).blocked == {each.build_id for each in mine[2:]}
    for running, expected in zip(mine[:3], mine[2:], strict=True):
        holding = (await queue.contents()).holdings[running.build_id]
        await queue.release(running.build_id, holding.owner)
        assert await claim_all(queue) == [expected.build_id]


async def test_b_9_a_higher_plan_is_ahead_by_its_head_start_and_no_more(queue: Queue):
    """Example 47: builds of the highest plan that keep coming overtake for 600 s, and then no longer."""
    low = entry(0, payer="low")
    high = [entry(n * 1000 - 600_000, payer=f"h{n}", plan="cto_scale") for n in range(0, 700, 10)]
    await added(queue, low, *high)
    order = await claim_all(queue)
    ahead = order.index(low.build_id)
    assert ahead == sum(each.place < 0 or (each.place == 0 and each.build_id < low.build_id) for each in high)
    assert ahead <= 61


async def test_b_10_a_leaked_permit_returns_with_its_lease(soon_over: Queue):
    await added(soon_over, *(entry(n) for n in range(4)))
    assert len(await claim_all(soon_over)) >= 2

    async def one_more() -> bool:
        await soon_over.reconsider()
        return await soon_over.claim(f"late:{uuid4()}", LIMITS) is not None

    await until(one_more)


async def test_b_10_a_lease_that_ran_out_is_not_prolonged_and_its_permit_may_be_anothers(
    soon_over: Queue, queue: Queue
):
    """A process that was stopped and goes on, or a claim whose answer came too late: nobody took the build yet, but
    its permit is given away."""
    await added(queue, *(entry(n) for n in range(2)))
    one = {"": (1, 1)}
    late = await soon_over.claim("late", one)

    async def ran_out() -> bool:
        await queue.reconsider()
        return await queue.claim("next", one) is not None

    await until(ran_out)
    assert not await queue.renew(late, "late")
    assert await queue.claim("late", one) is None
    assert sum(holding.seconds > 0 for holding in (await queue.contents()).holdings.values()) == 1


async def test_b_9_a_permit_that_ran_out_goes_to_whoever_waited_for_it_first(queue: Queue, redis_client: redis.Redis):
    """Its worker was lost, and no sweeper has looked yet: nobody who comes now is ahead of those who were blocked."""
    project = uuid4()
    mine = [entry(place, project=project) for place in range(3)]
    await added(queue, *mine)
    lost = await claim_all(queue)
    assert lost == [mine[0].build_id, mine[1].build_id]
    for holder in ("user:me", f"project:{project}"):
        await redis_client.zadd(f"{{queue}}:{holder}", {str(build_id): 1 for build_id in lost})
    await queue.add(later := entry(10, project=project))
    assert await claim_all(queue) == [mine[2].build_id, later.build_id]


async def test_b_10_only_the_owner_renews_releases_and_gives_back(queue: Queue):
    await added(queue, entry(7))
    build_id = await queue.claim("mine", LIMITS)
    assert not await queue.renew(build_id, "another")
    await queue.release(build_id, "another")
    await queue.give_back(build_id, "another", place=0)
    assert build_id in (await queue.contents()).holdings
    assert await queue.renew(build_id, "mine")
    await queue.release(build_id, "mine")
    contents = await queue.contents()
    assert not contents.holdings
    assert not contents.waiting


async def test_a_build_that_is_given_back_has_its_old_place(queue: Queue, redis_client: redis.Redis):
    first, second = entry(1), entry(2)
    await added(queue, first, second)
    assert await queue.claim("w", LIMITS) == first.build_id
    await queue.give_back(first.build_id, "w", place=first.place)
    assert await redis_client.zscore(WAITING, str(first.build_id)) == 1
    assert await claim_all(queue) == [first.build_id, second.build_id]


async def test_adding_what_waits_or_is_held_changes_nothing(queue: Queue):
    first = entry(1)
    await added(queue, first, first)
    assert await claim_all(queue) == [first.build_id]
    await queue.add(first)
    assert await claim_all(queue) == []


async def test_seizing_takes_what_ran_out_and_only_one_gets_it(soon_over: Queue, queue: Queue):
    lost = entry()
    await soon_over.add(lost)
    assert await soon_over.claim("dead", LIMITS) == lost.build_id

    async def ran_out() -> bool:
        return bool((await queue.contents()).expired)

    await until(ran_out)
    won = await asyncio.gather(*(queue.seize(lost, f"sweeper{n}") for n in range(10)))
    assert won.count(True) == 1
    assert not await queue.renew(lost.build_id, "dead"), "the former holder is told"


async def test_b_1_an_emptied_index_grants_nothing_until_it_is_made_again_with_what_runs(
    queue: Queue, redis_client: redis.Redis
):
    """Example 55: permits that were held when Redis was emptied are still held."""
    running, waiting = [entry(n) for n in range(2)], [entry(10 + n) for n in range(3)]
    await redis_client.flushdb()
    with pytest.raises(IndexLost):
        await queue.claim("w", LIMITS)
    assert await queue.renew(running[0].build_id, "w0"), "whoever plays goes on meanwhile"
    assert await queue.rebuild(waiting, [(each, f"w{n}") for n, each in enumerate(running)])
    assert await claim_all(queue) == [], "two run, and two may"
    assert await queue.renew(running[0].build_id, "w0")
    await queue.release(running[1].build_id, "w1")
    assert await claim_all(queue) == [waiting[0].build_id]


async def test_b_1_an_index_restored_from_an_old_snapshot_counts_as_lost(queue: Queue, redis_client: redis.Redis):
    """A restart with old data on disk: the run of the server is another, whatever the data say."""
    await added(queue, entry())
    await redis_client.set("{queue}:built", "the run before")
    with pytest.raises(IndexLost):
        await queue.claim("w", LIMITS)
    assert not (await queue.contents()).built
    fresh = entry()
    assert await queue.rebuild([fresh], [])
    assert not await queue.rebuild([], []), "once is enough"
    assert await claim_all(queue) == [fresh.build_id]


async def test_wider_limits_free_who_was_kept_by_the_old_ones(queue: Queue):
    await added(queue, *(entry(n) for n in range(4)))
    assert len(await claim_all(queue)) == 2
    await queue.reconsider()
    assert len(await claim_all(queue, {"": (3, 3)})) == 1


async def test_b_14_what_somebody_else_put_into_the_queue_is_dropped_unread(queue: Queue, redis_client: redis.Redis):
    """Example 67: a pickle in the queue key."""
    evil = b"cos\nsystem\n(S'touch /tmp/pwned'\ntR."
    await redis_client.zadd(WAITING, {evil: -1})
    await redis_client.zadd(READY, {evil: -1})
    mine = entry()
    await queue.add(mine)
    assert evil not in {str(build_id).encode() for build_id in (await queue.contents()).waiting}
    assert await claim_all(queue) == [mine.build_id]
    assert await redis_client.zcard(WAITING) == 0


async def test_more_blocked_builds_than_one_look_takes_are_looked_past(queue: Queue):
    await queue.rebuild([], [])
    await added(queue, *(entry(n) for n in range(1200)))
    other = entry(5000, payer="other")
    await queue.add(other)
    assert len(await claim_all(queue)) == 3
    assert len((await queue.contents()).blocked) == 1198


async def test_the_bell_rings_for_a_build_that_may_run_now(queue: Queue):
    await added(queue, *(entry(n) for n in range(3)))
    [first, _] = await claim_all(queue)
    for _ in range(3):
        await queue.wait(0.1)
    waiting = asyncio.create_task(queue.wait(30))
    owner = (await queue.contents()).holdings[first].owner
    await queue.release(first, owner)
    await asyncio.wait_for(waiting, 5)


async def test_all_keys_share_one_slot(queue: Queue, redis_client: redis.Redis):
    """A script may touch all of them at once, in a cluster too."""
    await added(queue, *(entry(n) for n in range(4)))
    await claim_all(queue)
    keys = [key.decode() async for key in redis_client.scan_iter("*")]
    assert len(keys) > 8
    assert all(key.startswith("{queue}:") for key in keys)
