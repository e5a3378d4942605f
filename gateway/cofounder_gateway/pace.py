"""How fast a socket may ask: a bucket of frames that refills; an empty one slows the reading, nothing is lost."""

import asyncio


class Pace:
    """Lets `burst` frames pass at once and `rate` a second for long (D-6)."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = float(burst)
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time()

    async def wait(self) -> None:
        """Returns when the next frame may be taken."""
        now = self._loop.time()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - 1.0
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._rate)
