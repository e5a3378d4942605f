"""How much one caller may ask of this process at once. Pure but for the clock that is handed in."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cofounder_server import errors

STREAM_RETRY_SECONDS = 1.0
PRUNE_AT = 10_000
ROUNDING = 1e-6


class Limits:
    """Counts calls and open streams by caller.

    Calls are counted by a bucket that holds a second's worth and fills evenly.

    Args:
        calls_per_second: How many calls a caller may begin in a second.
        streams: How many streams a caller may have open.
        monotonic: Seconds that never go back.
    """

    def __init__(self, *, calls_per_second: int, streams: int, monotonic: Callable[[], float]) -> None:
        self._rate = calls_per_second
        self._max_streams = streams
        self._monotonic = monotonic
        # What was left in a caller's bucket, and when.
        self._buckets: dict[str, tuple[float, float]] = {}
        self._open: Counter[str] = Counter()

    def call(self, subject: str) -> None:
        """Counts a call.

        Raises:
            RateLimited: It is one too many; says when one will not be.
        """
        now = self._monotonic()
        if len(self._buckets) >= PRUNE_AT:
            self._prune(now)
        level = self._level(subject, now)
        # Whoever waits as long as they were told has one, whatever was lost in rounding.
        if level < 1 - ROUNDING:
            raise errors.RateLimited(limit="calls", value=self._rate, retry_after=(1 - level) / self._rate)
        self._buckets[subject] = (level - 1, now)

    @contextmanager
    def stream(self, subject: str) -> Iterator[None]:
        """Counts a stream as open until the block ends.

        Raises:
            RateLimited: It is one too many.
        """
        if self._open[subject] >= self._max_streams:
            raise errors.RateLimited(limit="streams", value=self._max_streams, retry_after=STREAM_RETRY_SECONDS)
        self._open[subject] += 1
        try:
            yield
        finally:
            self._open[subject] -= 1
            if not self._open[subject]:
                del self._open[subject]

    def _level(self, subject: str, now: float) -> float:
        left, at = self._buckets.get(subject, (float(self._rate), now))
        return min(float(self._rate), left + (now - at) * self._rate)

    def _prune(self, now: float) -> None:
        """Forgets callers whose buckets are full: they are as if they had never called."""
        self._buckets = {who: level for who, level in self._buckets.items() if self._level(who, now) < self._rate}
