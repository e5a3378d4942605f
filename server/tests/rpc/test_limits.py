"""Limits under a clock that moves when it is told to."""

import pytest

from cofounder_server import errors
from cofounder_server.rpc import limits
from cofounder_server.rpc.limits import Limits


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time():
    return Clock()


@pytest.fixture
def few(time):
    return Limits(calls_per_second=10, streams=2, monotonic=time)


def spend(few, who, count):
    for _ in range(count):
        few.call(who)


def test_d6_a_caller_has_a_seconds_worth_and_gets_it_back_evenly(few, time):
    spend(few, "ann", 10)
    with pytest.raises(errors.RateLimited) as refused:
        few.call("ann")
    assert refused.value.retry_after == pytest.approx(0.1)
    time.now += refused.value.retry_after
    few.call("ann")
    with pytest.raises(errors.RateLimited):
        few.call("ann")
    time.now += 1000
    spend(few, "ann", 10)
    with pytest.raises(errors.RateLimited):
        few.call("ann")


def test_d6_one_caller_does_not_use_up_anothers(few):
    spend(few, "ann", 10)
    spend(few, "bob", 10)


def test_d6_streams_count_while_they_are_open_however_they_end(few):
    with few.stream("ann"), few.stream("ann"):
        with pytest.raises(errors.RateLimited), few.stream("ann"):
            pass
        with few.stream("bob"):
            pass
    with pytest.raises(ZeroDivisionError), few.stream("ann"):
        raise ZeroDivisionError
    with few.stream("ann"), few.stream("ann"):
        pass


def test_callers_who_went_away_are_forgotten_and_those_at_their_limit_are_not(few, time, monkeypatch):
    monkeypatch.setattr(limits, "PRUNE_AT", 100)
    for number in range(99):
        few.call(f"user {number}")
    time.now += 0.5
    spend(few, "ann", 10)
    time.now += 0.1
    few.call("bob")
    assert len(few._buckets) == 2
    few.call("ann")
    with pytest.raises(errors.RateLimited):
        few.call("ann")
