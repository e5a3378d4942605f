"""A ledger over the real Postgres, and attempts to put into it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from cofounder_server.ledger.model import NO_DAY, Limit, Reservation, Scope, Settlement
from cofounder_server.ledger.store import Ledger

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = NOW.date()


@pytest.fixture
def ledger(pool) -> Ledger:
    return Ledger(pool)


def reservation(tokens: int = 10, microdollars: int = 100, **changed) -> Reservation:
    fields = {
        "ledger_id": uuid4(),
        "payer_id": "me",
        "user_id": "me",
        "project_id": uuid4(),
        "build_id": None,
        "stage": "coder",
        "role": "coder",
        "model": "m",
        "attempt": 1,
        "generation_id": "g",
        "day": DAY,
        "price_version": "v",
        "counted_tokens": tokens,
        "tokens": tokens,
        "microdollars": microdollars,
        "create_time": NOW,
        "expire_time": NOW + timedelta(minutes=10),
        **changed,
    }
    return Reservation(**fields)


def limits(
    tokens: int = -1, *, payer: str = "me", build: UUID | None = None, cap: int = -1, breaker: int = -1, day: date = DAY
):
    found = [
        Limit(scope=Scope.GLOBAL, key="", day=day, microdollars=breaker),
        Limit(scope=Scope.USER, key=payer, day=day, tokens=tokens),
    ]
    if build is not None:
        found.append(Limit(scope=Scope.BUILD, key=str(build), day=NO_DAY, microdollars=cap))
    return found


def settlement(tokens: int = 7, microdollars: int = 70, **changed) -> Settlement:
    fields = {
        "model": "m",
        "input_tokens": tokens,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cost_microdollars": microdollars,
        "estimated": False,
        "platform_borne": False,
        "outcome": "answered",
        **changed,
    }
    return Settlement(**fields)


class Book:
    """What tests need at hand."""

    now, day = NOW, DAY
    reservation = staticmethod(reservation)
    limits = staticmethod(limits)
    settlement = staticmethod(settlement)


@pytest.fixture
def book() -> type[Book]:
    return Book
