"""What a worker must know of the deployment: the plans' limits as they stand, and whether it may take builds."""

import asyncio

import asyncpg
import structlog

from cofounder_server import db
from cofounder_server.billing import plans
from cofounder_server.builds.queue import Limits
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.worker")
log = structlog.get_logger(__name__)


class Board:
    """Reads the plans and signs this worker in, every `seconds`. While Postgres is away the last reading holds.

    `limits` and `open` are as last read; `open` is false while an operator has this worker take no more builds.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, worker_id: str, slots: int, seconds: float) -> None:
        self._pool = pool
        self._clock = clock
        self._worker_id = worker_id
        self._slots = slots
        self._seconds = seconds
        self.limits: Limits = {}
        self.open = True

    async def read(self) -> None:
        """Reads once."""
        self.limits = (await plans.read(self._pool)).limits()
        draining = await self._pool.fetchval(sql.sign_in, self._worker_id, self._slots, self._clock.now())
        if self.open == draining:
            log.info("an operator has this worker take no more builds" if draining else "taking builds again")
        self.open = not draining

    async def run(self) -> None:
        """Reads again and again until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.read()
            except db.UNREACHABLE as fault:
                log.warning("plans not read: Postgres away", fault=type(fault).__name__)

    async def sign_out(self) -> None:
        """Says that this worker is gone."""
        await self._pool.execute(sql.sign_out, self._worker_id)
