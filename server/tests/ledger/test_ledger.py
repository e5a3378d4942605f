"""A-20 … A-25: reserve before, settle after, never lose either; no limit is overdrawn at any instant."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from cofounder_server import db
from cofounder_server.ledger.model import Conflict, Scope, Totals, Verdict
from cofounder_server.ledger.store import Ledger

pytestmark = pytest.mark.integration


async def opened(ledger, book, **changed):
    made = book.reservation(**changed)
    findings = await ledger.reserve(made, book.limits(build=made.build_id))
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    return made


async def granted(ledger, book, *, tokens: int, limit: int, count: int) -> int:
    """Asks `count` times at once; returns how often it was granted."""
    asked = (ledger.reserve(book.reservation(tokens), book.limits(limit)) for _ in range(count))
    answers = await asyncio.gather(*asked)
    return sum(all(finding.verdict is Verdict.OK for finding in answer) for answer in answers)


async def watched(pool: asyncpg.Pool, most: int, until: asyncio.Event) -> int:
    """Looks at the counter again and again; returns how often it stood above `most`."""
    above = 0
    while not until.is_set():
        row = await pool.fetchrow(
            "select spent_tokens + reserved_tokens as sum from usage_counters where scope = 'user'"
        )
        above += row is not None and row["sum"] > most
        await asyncio.sleep(0.001)
    return above


class CheckThenAdd(Ledger):
    """What an admission must not be: looked at in one statement, taken in another."""

    async def reserve(self, reservation, limits):
        [user] = [limit for limit in limits if limit.scope is Scope.USER]
        now = await self.totals(user.scope, user.key, user.day)
        if now.spent_tokens + now.reserved_tokens + reservation.tokens > user.tokens:
            return await super().reserve(reservation, limits)
        free = [type(user)(scope=limit.scope, key=limit.key, day=limit.day) for limit in limits]
        return await super().reserve(reservation, free)


async def test_a_21_of_800_admissions_on_two_servers_with_room_for_100_exactly_100_are_granted_at_every_instant(
    database, pool, book
):
    """And the naive check, on the same load, grants more."""
    others = await db.open_pool(database, size=10)

    async def both(kind: type[Ledger]) -> tuple[int, int]:
        await pool.execute("truncate usage_counters, usage_logs")
        over = asyncio.Event()
        watching = asyncio.create_task(watched(pool, 1000, over))
        counts = await asyncio.gather(
            *(granted(kind(source), book, tokens=10, limit=1000, count=400) for source in (pool, others))
        )
        over.set()
        return sum(counts), await watching

    try:
        assert await both(Ledger) == (100, 0)
        assert (await both(CheckThenAdd))[0] > 100
    finally:
        others.terminate()


async def test_a_21_all_limits_or_none(ledger, book):
    build = uuid4()
    made = book.reservation(10, 100, build_id=build)
    findings = await ledger.reserve(made, book.limits(1000, build=build, cap=50))
    assert {finding.limit.scope: finding.verdict for finding in findings} == {
        Scope.GLOBAL: Verdict.OK,
        Scope.USER: Verdict.OK,
        Scope.BUILD: Verdict.REACHED,
    }
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals()
    assert not await ledger.ask(made.ledger_id), "no row was opened"


async def test_a_29_reached_is_told_from_held_by_calls_under_way(ledger, book):
    made = await opened(ledger, book, tokens=60)
    [_, user] = await ledger.reserve(book.reservation(60), book.limits(100))
    assert user.verdict is Verdict.IN_FLIGHT
    await ledger.settle(made.ledger_id, book.settlement(60), book.now)
    [_, user] = await ledger.reserve(book.reservation(60), book.limits(100))
    assert user.verdict is Verdict.REACHED


async def test_a_22_settling_twice_books_once_and_a_contradiction_is_refused(ledger, book):
    made = await opened(ledger, book)
    await ledger.ask(made.ledger_id)
    for _ in range(3):
        await ledger.settle(made.ledger_id, book.settlement(7, 70), book.now)
    with pytest.raises(Conflict):
        await ledger.settle(made.ledger_id, book.settlement(8, 80), book.now)
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals(7, 0, 70, 0)
    assert await ledger.totals(Scope.GLOBAL, "", book.day) == Totals(7, 0, 70, 0)
    assert not await ledger.release(made.ledger_id, book.now)


async def test_what_was_asked_is_not_given_back(ledger, book):
    made = await opened(ledger, book)
    assert await ledger.ask(made.ledger_id)
    assert not await ledger.release(made.ledger_id, book.now)
    assert (await ledger.totals(Scope.USER, "me", book.day)).reserved_tokens == 10


async def test_what_was_given_back_can_no_longer_be_asked(ledger, book):
    made = await opened(ledger, book)
    assert await ledger.release(made.ledger_id, book.now)
    assert not await ledger.ask(made.ledger_id)
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals()


async def test_a_23_a_settle_after_the_sweeper_books_the_count_once_and_the_sweepers_estimate_goes(ledger, book):
    made = await opened(ledger, book)
    await ledger.ask(made.ledger_id)
    late = book.now + timedelta(hours=1)
    [row] = await ledger.expired(late)
    assert row["ledger_id"] == made.ledger_id
    estimate = book.settlement(5, 50, estimated=True, platform_borne=True)
    await ledger.settle(made.ledger_id, estimate, late, swept=True)
    await ledger.settle(made.ledger_id, estimate, late, swept=True)
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals(), "the platform bears it"
    assert await ledger.totals(Scope.GLOBAL, "", book.day) == Totals(5, 0, 50, 0)
    for _ in range(2):
        await ledger.settle(made.ledger_id, book.settlement(7, 70), late)
    assert await ledger.totals(Scope.GLOBAL, "", book.day) == Totals(7, 0, 70, 0)
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals(), "and goes on to bear it"
    assert await ledger.expired(late) == []


async def test_a_22_of_settle_release_and_sweep_at_once_exactly_one_closes_the_attempt(ledger, book, pool):
    """Example 13."""
    for asked in [False, True] * 25:
        made = await opened(ledger, book)
        if asked:
            await ledger.ask(made.ledger_id)
        await asyncio.gather(
            ledger.release(made.ledger_id, book.now),
            ledger.release(made.ledger_id, book.now, swept=True),
            ledger.settle(made.ledger_id, book.settlement(estimated=True), book.now, swept=True),
            *([ledger.settle(made.ledger_id, book.settlement(), book.now)] if asked else []),
        )
        row = await pool.fetchrow("select * from usage_logs where ledger_id = $1", made.ledger_id)
        assert row["state"] in ({"settled", "estimated"} if asked else {"released", "estimated"})
    spent = await pool.fetchval("select sum(cost_microdollars) from usage_logs")
    assert (await ledger.totals(Scope.USER, "me", book.day)).spent_microdollars == spent
    assert (await ledger.totals(Scope.USER, "me", book.day)).reserved_microdollars == 0


async def test_what_comes_to_more_than_was_set_aside_is_booked_flagged_and_blocks_the_next_call(ledger, book, pool):
    """design.md, decision 6."""
    made = await opened(ledger, book, tokens=10, microdollars=100)
    await ledger.settle(made.ledger_id, book.settlement(1500, 900), book.now)
    assert await pool.fetchval("select overrun_microdollars from usage_logs") == 800
    [_, user] = await ledger.reserve(book.reservation(1), book.limits(1000))
    assert (user.verdict, user.spent_tokens) == (Verdict.REACHED, 1500)


async def test_a_27_a_call_belongs_to_the_day_of_its_reservation(ledger, book):
    made = await opened(ledger, book)
    await ledger.settle(made.ledger_id, book.settlement(7, 70), book.now + timedelta(days=1))
    assert await ledger.totals(Scope.USER, "me", book.day) == Totals(7, 0, 70, 0)
    assert await ledger.totals(Scope.USER, "me", book.day + timedelta(days=1)) == Totals()


async def test_example_19_first_calls_of_a_user_without_a_row_hold_the_limit_in_sum(ledger, book):
    assert await granted(ledger, book, tokens=10, limit=30, count=8) == 3
