"""How long a call of a model may take, how often it is tried, and how long to wait in between: pure."""

import random
from dataclasses import dataclass

from cofounder_server.agent.faults import ProviderFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may take and how often it is tried. Seconds (E-3, E-4).

    Args:
        attempts: In all, the first included.
        backoff: The first wait is at most this long, each further one twice as much.
        longest_wait: No single wait is longer; a provider that asks for more ends the call.
        connect: Until the connection stands.
        first_byte: Until the answer begins.
        silence: Between two events of an answer; pings do not count.
        total: For one attempt.
    """

    attempts: int = 5
    backoff: float = 1.0
    longest_wait: float = 30.0
    connect: float = 10.0
    first_byte: float = 120.0
    silence: float = 60.0
    total: float = 900.0

    def wait(self, fault: ProviderFault, *, retry: int, rng: random.Random) -> float | None:
        """Returns how long to wait before retry number `retry` (1 for the first); None if there is to be none.

        Full jitter, so that many builds that were refused together do not come back together.
        """
        allowed = self.attempts - 1 if fault.rule.retries is None else min(fault.rule.retries, self.attempts - 1)
        if retry > allowed:
            return None
        jitter = rng.uniform(0.0, min(self.longest_wait, self.backoff * 2.0 ** (retry - 1)))
        if fault.retry_after is None:
            return jitter
        if fault.retry_after > self.longest_wait:
            return None
        # Never earlier than asked for, and spread a little beyond it.
        return fault.retry_after + min(jitter, self.backoff)
