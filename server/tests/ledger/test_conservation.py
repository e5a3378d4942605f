"""The law of the ledger, after every step of any history: what was granted is available, set aside or spent."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cofounder_server.ledger.model import Conflict, Scope, Verdict
from cofounder_server.ledger.store import Ledger

pytestmark = pytest.mark.integration

PAYERS = ("ada", "bob")
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
AMOUNTS = st.integers(0, 60)


def test_granted_is_available_and_set_aside_and_spent_after_every_step(database, book):
    """With crashes (an attempt that nobody closes), expiries, limits that change and days that pass."""
    runner = asyncio.Runner()
    pool = runner.run(_opened(database))

    class History(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.do(pool.execute("truncate usage_logs, usage_counters"))
            self.ledger, self.now, self.limit, self.cap = Ledger(pool), book.now, 100, 150
            self.builds = {payer: uuid4() for payer in PAYERS}
            self.open, self.closed = {}, {}

        def do(self, work):
            return runner.run(_awaited(work))

        @rule(payer=st.sampled_from(PAYERS), tokens=AMOUNTS, cost=AMOUNTS)
        def reserve(self, payer, tokens, cost):
            made = book.reservation(
                tokens, cost, payer_id=payer, build_id=self.builds[payer], day=self.now.date(),
                create_time=self.now, expire_time=self.now + timedelta(minutes=10),
            )  # fmt: skip
            limits = book.limits(self.limit, payer=payer, build=made.build_id, cap=self.cap, day=made.day)
            before = self.rows(payer, made.day)
            findings = self.do(self.ledger.reserve(made, limits))
            if all(finding.verdict is Verdict.OK for finding in findings):
                assert before + tokens <= self.limit, "A-21"
                self.open[made.ledger_id] = made

        def rows(self, payer, day) -> int:
            """Spent and set aside, from the rows alone."""
            return self.do(pool.fetchval(
                "select coalesce(sum(case when state = 'open' then reserved_tokens when platform_borne then 0 else "
                + " + ".join(f"{kind}_tokens" for kind in KINDS)
                + " end), 0)::bigint from usage_logs where payer_id = $1 and day = $2", payer, day,
            ))  # fmt: skip

        @precondition(lambda self: self.open)
        @rule(data=st.data(), tokens=AMOUNTS, cost=AMOUNTS, borne=st.booleans())
        def settle(self, data, tokens, cost, borne):
            ledger_id = data.draw(st.sampled_from(sorted(self.open)))
            self.do(self.ledger.ask(ledger_id))
            settlement = book.settlement(tokens, cost, platform_borne=borne)
            self.do(self.ledger.settle(ledger_id, settlement, self.now))
            self.closed[ledger_id] = settlement
            del self.open[ledger_id]

        @precondition(lambda self: self.closed)
        @rule(data=st.data(), cost=AMOUNTS)
        def settle_again(self, data, cost):
            ledger_id = data.draw(st.sampled_from(sorted(self.closed)))
            former = self.closed[ledger_id]
            try:
                self.do(self.ledger.settle(ledger_id, book.settlement(1, cost), self.now))
            except Conflict:
                assert former is not None
            else:
                self.closed[ledger_id] = former or book.settlement(1, cost)

        @precondition(lambda self: self.open)
        @rule(data=st.data())
        def release(self, data):
            ledger_id = data.draw(st.sampled_from(sorted(self.open)))
            assert self.do(self.ledger.release(ledger_id, self.now))
            del self.open[ledger_id]

        @precondition(lambda self: self.open)
        @rule(data=st.data(), asked=st.booleans())
        def crash(self, data, asked):
            """The worker is lost, before or after the request left: nobody closes the attempt."""
            ledger_id = data.draw(st.sampled_from(sorted(self.open)))
            if asked:
                self.do(self.ledger.ask(ledger_id))
            del self.open[ledger_id]

        @rule(minutes=st.integers(1, 30))
        def sweep(self, minutes):
            self.now += timedelta(minutes=minutes)
            for row in self.do(self.ledger.expired(self.now)):
                if not self.do(self.ledger.release(row["ledger_id"], self.now, swept=True)):
                    estimate = book.settlement(3, 30, estimated=True, platform_borne=True)
                    self.do(self.ledger.settle(row["ledger_id"], estimate, self.now, swept=True))
                    self.closed[row["ledger_id"]] = None
                self.open.pop(row["ledger_id"], None)

        @rule(limit=st.integers(0, 200), cap=st.integers(0, 300))
        def change_limits(self, limit, cap):
            """Also below what is spent: a downgrade."""
            self.limit, self.cap = limit, cap

        @rule()
        def next_day(self):
            self.now += timedelta(days=1)

        @invariant()
        def counters_are_the_sums_of_the_rows(self):
            for row in self.do(pool.fetch("select * from usage_counters")):
                assert self.sums(row) == tuple(row[name] for name in SUMS), (row["scope"], row["key"])

        def sums(self, counter):
            where = {Scope.USER: "payer_id = $1 and day = $2", Scope.GLOBAL: "$1 = '' and day = $2",
                     Scope.BUILD: "build_id::text = $1 and $2::date is not null"}[counter["scope"]]  # fmt: skip
            borne = "" if counter["scope"] == Scope.GLOBAL else "and not platform_borne"
            tokens = " + ".join(f"{kind}_tokens" for kind in KINDS)
            row = self.do(pool.fetchrow(
                f"select coalesce(sum({tokens}) filter (where state <> 'open' {borne}), 0)::bigint, "
                f"coalesce(sum(reserved_tokens) filter (where state = 'open'), 0)::bigint, "
                f"coalesce(sum(cost_microdollars) filter (where state <> 'open' {borne}), 0)::bigint, "
                f"coalesce(sum(reserved_microdollars) filter (where state = 'open'), 0)::bigint "
                f"from usage_logs where {where}", counter["key"], counter["day"],
            ))  # fmt: skip
            return tuple(row)

    SUMS = ("spent_tokens", "reserved_tokens", "spent_microdollars", "reserved_microdollars")
    try:
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        runner.run(_awaited(pool.close()))
        runner.close()


async def _opened(database):
    return await asyncpg.create_pool(database, min_size=1, max_size=2)


async def _awaited(work):
    return await work
