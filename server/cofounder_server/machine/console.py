"""What the person at the terminal reads: the ready line on stdout, everything else on stderr."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_QUIET_FOR = 1.0


class Console:
    """Prints a line at a time and at once, so that a pipe sees it too."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def announce(self, line: str) -> None:
        """To stdout: only what scripts wait for."""
        print(line, flush=True)

    @asynccontextmanager
    async def progress(self, doing: str) -> AsyncIterator[None]:
        """Says `doing` if the body takes longer than a second."""
        handle = asyncio.get_running_loop().call_later(_QUIET_FOR, self.say, f"{doing} …")
        try:
            yield
        finally:
            handle.cancel()
