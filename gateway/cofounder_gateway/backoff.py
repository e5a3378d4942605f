"""How long to wait before trying again: exponential, with full jitter."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Delays in seconds, each drawn from [0, limit], the limit doubling from `first` up to `highest`."""

    first: float
    highest: float
    _limit: float = 0.0

    def next(self) -> float:
        self._limit = min(self.highest, max(self.first, self._limit * 2))
        return random.uniform(0.0, self._limit)

    def reset(self) -> None:
        self._limit = 0.0
