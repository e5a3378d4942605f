"""The closer: what lost workers left open in the ledger is given back if nothing was asked, and booked if it was."""

import asyncio
from uuid import UUID

import asyncpg
import structlog

from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import db
from cofounder_server.builds.log import Log
from cofounder_server.clock import Clock
from cofounder_server.ledger.model import Settlement
from cofounder_server.ledger.store import Ledger
from cofounder_server.usage.limits import likely_tokens
from cofounder_server.usage.prices import PriceTable, Tokens, UnknownModel

log = structlog.get_logger(__name__)


class Closer:
    """Closes expired attempts every `sweep_seconds`. Any number may close at once: each attempt is closed once."""

    def __init__(self, ledger: Ledger, builds: Log, prices: PriceTable, clock: Clock, *, sweep_seconds: float) -> None:
        self._ledger = ledger
        self._builds = builds
        self._prices = prices
        self._clock = clock
        self._sweep_seconds = sweep_seconds

    async def run(self) -> None:
        """Closes until cancelled. A Postgres that is away delays it and nothing more."""
        while True:
            try:
                await self.close()
            except db.UNREACHABLE as fault:
                log.warning("closing put off", fault=type(fault).__name__)
            await asyncio.sleep(self._sweep_seconds)

    async def close(self) -> None:
        """Closes once what has expired."""
        now = self._clock.now()
        for row in await self._ledger.expired(now):
            if await self._ledger.release(row["ledger_id"], now, swept=True):
                log.warning("reservation given back", ledger_id=str(row["ledger_id"]))
                continue
            settlement = await self._estimate(row)
            await self._ledger.settle(row["ledger_id"], settlement, now, swept=True)
            log.warning("attempt booked by estimate", ledger_id=str(row["ledger_id"]), tokens=settlement.tokens)

    async def _estimate(self, row: asyncpg.Record) -> Settlement:
        """Returns what an attempt came to whose worker was lost: all that it read, and what the log has of its words.

        The platform bears it: the step is played again.
        """
        written = await self._characters(row["build_id"], row["generation_id"]) if row["build_id"] else 0
        tokens = Tokens(input=row["counted_tokens"], output=likely_tokens(written))
        try:
            cost = self._prices.cost(row["model"], tokens, at=row["create_time"])
        except UnknownModel:
            # Its price was taken from the operator's table meanwhile; the tokens count all the same.
            log.error("no price for an attempt that is to be closed", ledger_id=str(row["ledger_id"]))
            cost = 0
        return Settlement(
            model=row["model"],
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=0,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
            cost_microdollars=cost,
            estimated=True,
            platform_borne=True,
            outcome="worker_lost",
        )

    async def _characters(self, build_id: UUID, generation_id: str) -> int:
        """Returns how much of a call's text stands in its build's log."""
        written = cursor = 0
        while (stretch := await self._builds.read(build_id, after=cursor)).body:
            for event in WatchBuildResponse.FromString(stretch.body).events:
                for delta in (event.text_delta, event.thinking_delta):
                    written += len(delta.text) if delta.generation_id == generation_id else 0
            cursor = stretch.last
        return written
