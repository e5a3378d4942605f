"""C-12: exponential backoff with full jitter, which only a stable minute resets."""

import random

from cofounder_cli import client


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def longest(retries: client._Retries, monkeypatch) -> float:
    """The longest pause that the next failure may lead to."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    return retries.begin()


def test_pauses_grow_across_connections_that_break_soon_again(monkeypatch):
    time = Time()
    retries = client._Retries(time)
    pauses = []
    for _ in range(8):
        pauses.append(longest(retries, monkeypatch))
        retries.end()
        time.now += 5
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]


def test_a_stable_minute_makes_them_short_again(monkeypatch):
    time = Time()
    retries = client._Retries(time)
    for _ in range(5):
        longest(retries, monkeypatch)
    retries.end()
    time.now += 61
    retries.end()
    assert longest(retries, monkeypatch) == 0.2


def test_patience_counts_from_the_first_failure_since_an_answer(monkeypatch):
    time = Time()
    retries = client._Retries(time)
    longest(retries, monkeypatch)
    time.now += 7
    assert retries.seconds == 7
    assert retries.end()
    assert not retries.end()
    longest(retries, monkeypatch)
    assert (retries.seconds, retries.count) == (0, 1)
