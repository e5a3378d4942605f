"""The right to go on with a stream, which may have ended since it began."""

import asyncio
from collections.abc import Awaitable, Callable

from cofounder_server.identity import caller
from cofounder_server.identity.caller import Identity


class Authority:
    """The right to go on with a stream, confirmed from time to time (D-3).

    Args:
        ask: Raises unless the identity may have what is streamed, as of now.
        seconds: How long a confirmation holds.
    """

    def __init__(self, ask: Callable[[Identity], Awaitable[object]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._time = asyncio.get_running_loop().time
        self._due = self._time() + seconds

    async def confirm(self) -> None:
        """Asks again if it is time to. Raises what a new stream would be refused with."""
        if self._time() < self._due:
            return
        await self._ask(await caller.verify_again())
        self._due = self._time() + self._seconds
