"""A-20 … A-29: every call is admitted against every limit as of now, in Postgres, and booked whatever becomes of it."""

import asyncio
import dataclasses
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from cofounder_server import db, errors
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.log import Log
from cofounder_server.identity.accounts import Suspended
from cofounder_server.ledger.model import Scope, Settlement, Totals
from cofounder_server.ledger.store import Ledger
from cofounder_server.usage.meter import Call, Meter
from cofounder_server.usage.prices import PriceTable, Tokens, UnknownModel
from cofounder_server.worker.close import Closer

pytestmark = pytest.mark.integration

MODEL = "claude-sonnet-5-5"


class Watch:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def make(pool, watch):
    def meter(**changed) -> Meter:
        fields = {"new_id": uuid7, "reservation_seconds": 600.0, "global_microdollars": 10**12, **changed}
        return Meter(pool, Ledger(pool), PriceTable(), watch, **fields)

    return meter


@pytest.fixture
def meter(make) -> Meter:
    return make()


def call(**changed) -> Call:
    fields = {
        "payer_id": "me",
        "user_id": "ed",
        "project_id": uuid4(),
        "build_id": uuid4(),
        "build_microdollars": 0,
        "attempt": 1,
        "stage": "coder",
        "role": "coder",
        "generation_id": "g",
        "model": MODEL,
        "asked_characters": 2000,
        "max_tokens": 1000,
        **changed,
    }
    return Call(**fields)


def came_to(meter: Meter, ticket, tokens: Tokens, **changed) -> Settlement:
    fields = {
        "model": MODEL,
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_5m_tokens": tokens.cache_write_5m,
        "cache_write_1h_tokens": tokens.cache_write_1h,
        "cost_microdollars": meter.cost(MODEL, tokens, ticket),
        "estimated": False,
        "platform_borne": False,
        "outcome": "answered",
        **changed,
    }
    return Settlement(**fields)


async def settled(meter: Meter, of: Call, tokens: Tokens):
    ticket = await meter.admit(of)
    await meter.ask(ticket)
    await meter.settle(ticket, came_to(meter, ticket, tokens))
    return ticket


async def test_a_26_the_cost_of_a_call_by_kind_of_token_to_the_microdollar(meter, pool):
    """Example 23, with the rates of the table and one rounding."""
    tokens = Tokens(input=25, output=7, cache_read=1000, cache_write_5m=400, cache_write_1h=100)
    ticket = await settled(meter, call(), tokens)
    row = await pool.fetchrow("select * from usage_logs")
    kinds = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    rate = {kind: Decimal(PriceTable().cost(MODEL, Tokens(**{kind: 10**6}))) / 10**6 for kind in kinds}
    exact = sum(getattr(tokens, kind) * rate[kind] for kind in kinds)
    assert row["cost_microdollars"] == math.ceil(exact)
    assert (row["ledger_id"], row["price_version"]) == (ticket.ledger_id, PriceTable().version)
    assert await Ledger(pool).totals(Scope.USER, "me", row["day"]) == Totals(1532, 0, row["cost_microdollars"], 0)


async def test_a_21_the_most_it_may_come_to_is_set_aside_at_the_dearest_rate(meter, pool):
    await meter.admit(call())
    row = await pool.fetchrow("select * from usage_logs")
    assert row["reserved_tokens"] == 1000 + 1000
    dearest = PriceTable().cost(MODEL, Tokens(cache_write_1h=1000, output=1000))
    assert row["reserved_microdollars"] == dearest


async def test_a_28_the_plan_counts_as_of_now(meter, pool, watch):
    """Example 27: a downgrade during the build; new calls see the new limit."""
    await pool.execute("insert into user_settings (user_id, plan_slug) values ('me', 'cto_scale')")
    await settled(meter, call(), Tokens(input=600_000))
    await meter.admit(call())
    await pool.execute("update user_settings set plan_slug = 'bootstrapper'")
    with pytest.raises(errors.QuotaExceeded) as refused:
        await meter.admit(call())
    assert refused.value.metadata == {
        "quota": "tokens_per_day",
        "limit": "500000",
        "plan": "bootstrapper",
        "resetTime": "2026-11-02T00:00:00Z",
    }
    assert refused.value.retry_after == 60
    watch.time += timedelta(minutes=1)
    assert await meter.admit(call()), "A-27: a new UTC day"


async def test_an_operator_overrides_a_users_tokens_and_minus_one_is_without_limit_under_the_breaker(make, pool):
    await pool.execute("insert into user_settings (user_id, override_tokens_per_day) values ('me', -1)")
    meter = make(global_microdollars=10_000_000)
    await settled(meter, call(), Tokens(input=3_000_000))
    with pytest.raises(errors.QuotaExceeded) as refused:
        await meter.admit(call(asked_characters=4_000_000))
    assert refused.value.quota == "platform_cost_per_day"


async def test_a_suspended_payer_is_refused_at_the_next_call(meter, pool):
    await meter.admit(call())
    await pool.execute("insert into user_settings (user_id, suspended) values ('me', true)")
    with pytest.raises(Suspended):
        await meter.admit(call())
    assert await pool.fetchval("select count(*) from usage_logs") == 1


async def test_a_25_a_model_without_a_price_is_refused_and_leaves_no_row(meter, pool):
    with pytest.raises(UnknownModel):
        await meter.admit(call(model="a-model-of-2031"))
    assert await pool.fetchval("select count(*) from usage_logs") == 0


async def test_a_builds_cap_refuses_what_might_exceed_it(meter):
    build = uuid4()
    capped = call(build_id=build, build_microdollars=30_000)
    await settled(meter, capped, Tokens(input=10, output=1000))
    held = await meter.admit(capped)
    with pytest.raises(errors.BudgetInFlight):
        await meter.admit(capped)
    await meter.settle(held, came_to(meter, held, Tokens(input=10, output=1000)))
    with pytest.raises(errors.BudgetSpent):
        await meter.admit(capped)
    assert await meter.admit(call(build_microdollars=30_000)), "another build's cap is its own"


async def test_a_24_without_postgres_nothing_is_admitted_nor_asked(database):
    """Example 17."""
    own = await db.open_pool(database)
    meter = Meter(own, Ledger(own), PriceTable(), Watch(), new_id=uuid7, reservation_seconds=60, global_microdollars=-1)
    ticket = await meter.admit(call())
    await own.close()
    for asked in (meter.admit(call()), meter.ask(ticket)):
        with pytest.raises(errors.DependencyUnavailable):
            await asked


async def test_settling_waits_for_postgres_and_books_once(meter, pool, monkeypatch):
    """Postgres stopped between answer and settle."""
    ticket = await meter.admit(call())
    await meter.ask(ticket)
    settle, failures = Ledger.settle, [OSError(), OSError()]

    async def away(self, *arguments, **named):
        await settle(self, *arguments, **named)
        if failures:
            raise failures.pop()

    class Patient(Watch):
        async def sleep(self, seconds):
            """No time passes."""

    monkeypatch.setattr(Ledger, "settle", away)
    monkeypatch.setattr(meter, "_clock", Patient())
    await meter.settle(ticket, came_to(meter, ticket, Tokens(input=100)))
    assert (await Ledger(pool).totals(Scope.USER, "me", ticket.time.date())).spent_tokens == 100


async def test_example_9_of_20_calls_at_once_with_room_for_two_two_are_admitted(meter, pool):
    await pool.execute("insert into user_settings (user_id, override_tokens_per_day) values ('me', 4000)")
    answers = await asyncio.gather(*(meter.admit(call()) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, errors.BudgetInFlight) for answer in answers) == 18


@pytest.fixture
def closer(pool, watch) -> Closer:
    return Closer(Ledger(pool), Log(pool), PriceTable(), watch, sweep_seconds=1)


async def test_a_23_what_a_lost_worker_left_is_given_back_or_booked_and_never_both_or_neither(
    meter, closer, pool, watch
):
    """Example 11."""
    never_asked, asked = await meter.admit(call()), await meter.admit(call(build_id=None))
    await meter.ask(asked)
    await closer.close()
    assert await pool.fetchval("select count(*) from usage_logs where state = 'open'") == 2, "not before its time"
    watch.time += timedelta(minutes=11)
    for _ in range(2):
        await closer.close()
    rows = {row["ledger_id"]: row for row in await pool.fetch("select * from usage_logs")}
    assert rows[never_asked.ledger_id]["state"] == "released"
    booked = rows[asked.ledger_id]
    assert (booked["state"], booked["input_tokens"], booked["platform_borne"]) == ("estimated", 1000, True)
    day = never_asked.time.date()
    assert await Ledger(pool).totals(Scope.USER, "me", day) == Totals()
    assert await Ledger(pool).totals(Scope.GLOBAL, "", day) == Totals(1000, 0, booked["cost_microdollars"], 0)


async def test_a_late_answer_of_a_worker_that_was_taken_for_lost_is_booked_once(meter, closer, pool, watch):
    ticket = await meter.admit(call(build_id=None))
    await meter.ask(ticket)
    watch.time += timedelta(minutes=11)
    await closer.close()
    settlement = came_to(meter, ticket, Tokens(input=900, output=10))
    for _ in range(2):
        await meter.settle(ticket, settlement)
    await meter.settle(ticket, dataclasses.replace(settlement, cost_microdollars=1))
    row = await pool.fetchrow("select * from usage_logs")
    assert (row["state"], row["cost_microdollars"]) == ("settled", settlement.cost_microdollars)
