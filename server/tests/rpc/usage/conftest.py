"""Calls of models as the ledger books them, and a day to count them for."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest

from cofounder_server.builds.ids import uuid7
from cofounder_server.ledger.model import NO_DAY, Limit, Reservation, Scope, Settlement
from cofounder_server.ledger.store import Ledger

PROJECT = UUID("01990000-abcd-7000-8000-00000000000a")


class Bookings:
    """Books calls of one payer through the ledger itself."""

    def __init__(self, pool: Any) -> None:
        self.ledger = Ledger(pool)
        self.pool = pool
        self.count = 0

    async def reserve(self, payer: str = "me", *, day: date | None = None, build_id: UUID | None = None, **fields: Any):
        """Sets 1,000 tokens and 10,000 millionths aside, and returns the attempt's id."""
        self.count += 1
        day = day or datetime.now(UTC).date()
        # In the order of the calls, whatever the clock's resolution.
        time = datetime.combine(day, datetime.min.time(), UTC) + timedelta(milliseconds=self.count)
        reservation = Reservation(
            **{
                "ledger_id": uuid7(time),
                "payer_id": payer,
                "user_id": payer,
                "project_id": PROJECT,
                "build_id": build_id,
                "stage": "coder",
                "role": "coder",
                "model": "m-1",
                "attempt": 1,
                "generation_id": f"g{self.count}",
                "day": day,
                "price_version": "v1",
                "counted_tokens": 500,
                "tokens": 1000,
                "microdollars": 10_000,
                "create_time": time,
                "expire_time": time + timedelta(minutes=10),
                **fields,
            }
        )
        limits = [Limit(scope=Scope.GLOBAL, key="", day=day), Limit(scope=Scope.USER, key=payer, day=day)]
        if build_id is not None:
            limits.append(Limit(scope=Scope.BUILD, key=str(build_id), day=NO_DAY))
        await self.ledger.reserve(reservation, limits)
        return reservation.ledger_id

    async def settle(self, ledger_id: UUID, tokens: int = 100, cost: int = 1000, **fields: Any) -> None:
        """Closes an attempt."""
        await self.ledger.ask(ledger_id)
        settlement = Settlement(
            **{
                "model": "m-1",
                "input_tokens": tokens,
                "output_tokens": 0,
                "cache_read_tokens": 0,
                "cache_write_5m_tokens": 0,
                "cache_write_1h_tokens": 0,
                "cost_microdollars": cost,
                "estimated": False,
                "platform_borne": False,
                "outcome": "answered",
                **fields,
            }
        )
        await self.ledger.settle(ledger_id, settlement, datetime.now(UTC))

    async def spend(
        self, payer: str = "me", tokens: int = 100, cost: int = 1000, *, settled: Any = None, **fields: Any
    ) -> UUID:
        """Books a whole call. `fields` are of its reservation, `settled` of what it came to."""
        ledger_id = await self.reserve(payer, **fields)
        settled = {"model": fields["model"], **(settled or {})} if "model" in fields else settled or {}
        await self.settle(ledger_id, tokens, cost, **settled)
        return ledger_id

    async def credit(self, amount: int, *, payer: str = "me", build_id: UUID | None = None, day: date | None = None):
        """Gives something back."""
        self.count += 1
        now = datetime.now(UTC)
        await self.pool.execute(
            "insert into usage_credits values ($1, $2, $3, $4, $5, $6, 'our fault', $7)",
            *(uuid7(now), payer, build_id, day or now.date(), amount, f"cause-{self.count}", now),
        )


@pytest.fixture
def bookings(site: Any) -> Bookings:
    return Bookings(site.pool)


@pytest.fixture
def admin(site: Any) -> Callable[..., Any]:
    """`await admin("root")`: an admin's client."""

    async def make(user_id: str = "root") -> Any:
        await site.pool.execute("insert into user_settings (user_id, admin) values ($1, true)", user_id)
        return await site.user(user_id)

    return make


@pytest.fixture
def ending(refused: Any) -> Callable[..., Any]:
    """`await ending(call)`: reads a stream to its end and returns what it was refused with."""

    async def read_to_the_end(call: Any) -> Any:
        try:
            async with asyncio.timeout(30):
                while await call.read() is not grpc.aio.EOF:
                    pass
        except grpc.aio.AioRpcError as error:
            return refused(error)
        raise AssertionError("it ended without an error")

    return read_to_the_end
