"""The pruner: what the checkpoints of builds that are over take up is given back."""

import asyncio

import asyncpg
import psycopg
import structlog

from cofounder_server import db
from cofounder_server.agent.checkpoints import Checkpoints

sql = db.queries("cofounder_server.builds")
log = structlog.get_logger(__name__)


class Pruner:
    """Prunes every `seconds`, however a build ended and whoever ended it. Any number may prune at once."""

    def __init__(self, pool: asyncpg.Pool, checkpoints: Checkpoints, *, seconds: float) -> None:
        self._pool = pool
        self._checkpoints = checkpoints
        self._seconds = seconds

    async def run(self) -> None:
        """Prunes until cancelled. A Postgres that is away delays it and nothing more."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.prune()
            except (*db.UNREACHABLE, psycopg.OperationalError) as fault:
                log.warning("pruning put off", fault=type(fault).__name__)

    async def prune(self) -> None:
        """Prunes once."""
        rows = await self._pool.fetch(sql.list_idle_threads)
        await self._checkpoints.prune(sorted(row["thread_id"] for row in rows))
