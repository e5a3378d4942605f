"""The ledger in Postgres: an attempt is set aside, asked, and closed exactly once, whoever tries and however often."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

import asyncpg

from cofounder_server import db
from cofounder_server.ledger.model import (
    NO_DAY,
    Conflict,
    Finding,
    Limit,
    Reservation,
    Scope,
    Settlement,
    Totals,
    Verdict,
)

sql = db.queries("cofounder_server.ledger")

MISSING = "missing"


class Ledger:
    """The one writer of `usage_logs` and `usage_counters`.

    Each method is one transaction. When one raises because Postgres is away, it may have been committed: repeating it
    is safe, with the same arguments.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def reserve(self, reservation: Reservation, limits: Sequence[Limit]) -> list[Finding]:
        """Sets an attempt's most aside in every limit, or in none; returns what each limit said.

        `limits` names every counter that the attempt moves, also those without a limit: the build's if it has one, the
        payer's day, and everybody's.

        It was granted if all say `OK`: then the attempt is open. Whoever asks at the same time waits for the others'
        decisions, so that no limit is ever overdrawn.
        """
        while True:
            rows = await self._pool.fetch(sql.reserve, *_columns(limits), *_arguments(reservation))
            if not any(row["verdict"] == MISSING for row in rows):
                return _findings(rows, limits)
            await self._pool.execute(sql.make_counters, *_keys(limits))

    async def ask(self, ledger_id: UUID) -> bool:
        """Says that the request is about to leave. False if the attempt is closed already: then it must not."""
        return await self._pool.fetchval(sql.mark_asked, ledger_id) is not None

    async def settle(self, ledger_id: UUID, settlement: Settlement, now: datetime, *, swept: bool = False) -> None:
        """Closes an attempt with what it came to. Doing it again with the same changes nothing.

        What the sweeper estimated is replaced once, by what the provider counted.

        Args:
            swept: True if it is the sweeper that closes it.

        Raises:
            Conflict: It is closed with something else. That stands.
        """
        state = "estimated" if settlement.estimated else "settled"
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(sql.lock_attempt, ledger_id)
            if row is None or not _may_close(row, state, settlement, swept=swept):
                return
            if row["swept"]:
                # Whoever bears it was decided when its worker was lost: the step was played again since.
                settlement = replace(settlement, platform_borne=row["platform_borne"])
            await self._close(connection, row, state, settlement, now, swept=swept)

    async def release(self, ledger_id: UUID, now: datetime, *, swept: bool = False) -> bool:
        """Closes an attempt of which nothing was asked; returns False if it is closed already, or was asked."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(sql.lock_attempt, ledger_id)
            if row is None or row["state"] != "open" or row["asked"]:
                return False
            await self._close(connection, row, "released", nothing(row["model"]), now, swept=swept)
        return True

    async def expired(self, now: datetime, *, limit: int = 100) -> list[asyncpg.Record]:
        """Returns attempts whose time is over and that nobody closed, oldest first."""
        rows: list[asyncpg.Record] = await self._pool.fetch(sql.list_expired, now, limit)
        return rows

    async def totals(self, scope: Scope, key: str, day: date = NO_DAY) -> Totals:
        """Returns a counter as it stands."""
        row = await self._pool.fetchrow(sql.read_counters, [scope], [key], [day])
        return Totals(**{name: row[name] for name in Totals.__slots__}) if row else Totals()

    async def _close(
        self,
        connection: db.Connection,
        row: asyncpg.Record,
        state: str,
        settlement: Settlement,
        now: datetime,
        *,
        swept: bool,
    ) -> None:
        was_open = row["state"] == "open"
        overrun = max(0, settlement.cost_microdollars - row["reserved_microdollars"])
        await connection.execute(
            sql.close_attempt,
            row["ledger_id"],
            state,
            settlement.model,
            settlement.input_tokens,
            settlement.output_tokens,
            settlement.cache_read_tokens,
            settlement.cache_write_5m_tokens,
            settlement.cache_write_1h_tokens,
            settlement.cost_microdollars,
            settlement.platform_borne,
            settlement.outcome,
            settlement.provider_request_id,
            overrun,
            swept,
            now,
        )
        back = (row["reserved_tokens"], row["reserved_microdollars"]) if was_open else (0, 0)
        await _move(connection, row, back=back, borne=settlement.platform_borne, **_difference(row, settlement))


async def _move(
    connection: db.Connection,
    row: asyncpg.Record,
    *,
    back: tuple[int, int],
    borne: bool,
    tokens: int,
    microdollars: int,
) -> None:
    """Moves every counter of an attempt. What the platform bears counts for everybody's day alone."""
    own = [(Scope.USER, row["payer_id"], row["day"])]
    if row["build_id"] is not None:
        own.append((Scope.BUILD, str(row["build_id"]), NO_DAY))
    everybody = [(Scope.GLOBAL, "", row["day"])]
    await connection.execute(sql.lock_counters, *map(list, zip(*own, *everybody, strict=True)))
    spent = (0, 0) if borne else (tokens, microdollars)
    await connection.execute(sql.move_counters, *map(list, zip(*own, strict=True)), *back, *spent)
    await connection.execute(sql.move_counters, *map(list, zip(*everybody, strict=True)), *back, tokens, microdollars)


def _difference(row: asyncpg.Record, settlement: Settlement) -> dict[str, int]:
    """Returns what closing adds to what this attempt came to so far."""
    kinds = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    former = sum(row[f"{kind}_tokens"] for kind in kinds)
    return {
        "tokens": settlement.tokens - former,
        "microdollars": settlement.cost_microdollars - row["cost_microdollars"],
    }


def _may_close(row: asyncpg.Record, state: str, settlement: Settlement, *, swept: bool) -> bool:
    if row["state"] == "open" or (row["swept"] and not swept):
        return True
    same = row["state"] == state and row["cost_microdollars"] == settlement.cost_microdollars
    if swept or same:
        return False
    raise Conflict(f"attempt {row['ledger_id']} is {row['state']} for {row['cost_microdollars']} millionths already")


def nothing(model: str) -> Settlement:
    """Returns what an attempt came to of which nothing was asked."""
    return Settlement(
        model=model,
        input_tokens=0,
        output_tokens=0,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        cost_microdollars=0,
        estimated=False,
        platform_borne=False,
        outcome="released",
    )


def _keys(limits: Sequence[Limit]) -> list[list[object]]:
    return [[limit.scope for limit in limits], [limit.key for limit in limits], [limit.day for limit in limits]]


def _columns(limits: Sequence[Limit]) -> list[list[object]]:
    return [*_keys(limits), [limit.tokens for limit in limits], [limit.microdollars for limit in limits]]


def _arguments(reservation: Reservation) -> tuple[object, ...]:
    r = reservation
    identity = (r.ledger_id, r.payer_id, r.user_id, r.project_id, r.build_id, r.stage, r.role, r.model, r.attempt)
    when = (r.generation_id, r.day, r.price_version, r.create_time, r.expire_time, r.counted_tokens)
    return (r.tokens, r.microdollars, *identity, *when)


def _findings(rows: Sequence[asyncpg.Record], limits: Sequence[Limit]) -> list[Finding]:
    by_key = {(row["scope"], row["key"], row["day"]): row for row in rows}
    found = [(limit, by_key[limit.scope, limit.key, limit.day]) for limit in limits]
    return [Finding(limit, Verdict(row["verdict"]), *(row[name] for name in Totals.__slots__)) for limit, row in found]
