"""Ending tasks that may have missed being asked to."""

import asyncio
from typing import Any

AGAIN_SECONDS = 2.0  # longer than any tidying up takes that must not be disturbed


async def stop(*tasks: asyncio.Task[Any], again: float = AGAIN_SECONDS) -> None:
    """Cancels tasks and returns when they have ended, whatever they ended with.

    Asked once more every `again` seconds: before Python 3.12, `asyncio.wait_for`, under which the Redis client awaits
    its handshake, can swallow a cancellation that comes just as the answer does.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=again)
    # Looked at, so that nothing is reported as never retrieved.
    await asyncio.gather(*tasks, return_exceptions=True)


async def ended(task: asyncio.Task[Any]) -> None:
    """Returns when a task is cancelled, which is how it should end.

    Raises:
        RuntimeError: It ended by itself; from what it failed with.
    """
    await asyncio.wait({task})
    if not task.cancelled():
        raise RuntimeError(f"{task.get_name()} ended, and nothing goes on without it") from task.exception()
