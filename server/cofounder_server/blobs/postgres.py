"""Blobs as rows of Postgres: the default, and all that one machine needs."""

import contextlib
from collections.abc import Collection, Iterator, Mapping

import asyncpg

from cofounder_server import db
from cofounder_server.blobs.store import StoreAway

sql = db.queries("cofounder_server.blobs")


class PostgresStore:
    """Keeps bodies in the table `blobs`. See `Store`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def write(self, bodies: Mapping[bytes, bytes]) -> None:
        # In one order: two writers of the same bodies would otherwise wait for each other's rows, and deadlock.
        addresses = sorted(bodies)
        with _away():
            await self._pool.execute(sql.write, addresses, [bodies[address] for address in addresses])

    async def read(self, addresses: Collection[bytes]) -> Mapping[bytes, bytes]:
        with _away():
            rows = await self._pool.fetch(sql.read, list(addresses))
        return {row["address"]: row["body"] for row in rows}

    async def find(self, addresses: Collection[bytes]) -> frozenset[bytes]:
        with _away():
            rows = await self._pool.fetch(sql.find, list(addresses))
        return frozenset(row["address"] for row in rows)


@contextlib.contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except db.UNREACHABLE as fault:
        raise StoreAway(f"Postgres: {type(fault).__name__}") from fault
