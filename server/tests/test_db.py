"""The database's seam: what a server that goes away looks like from here."""

import asyncio

import asyncpg
import pytest

from cofounder_server import db

pytestmark = pytest.mark.integration

# About one in seven meets the moment between the server's goodbye and its end.
TIMES = 60


async def test_a_connection_that_the_server_ends_in_use_always_counts_as_unreachable(database: str):
    """Nobody's loop may die of it: what is not unreachable is a fault of ours."""
    killer = await asyncpg.connect(database)
    for _ in range(TIMES):
        victim = await asyncpg.connect(database)
        using = asyncio.create_task(_use(victim))
        await asyncio.sleep(0)
        await killer.fetchval("select pg_terminate_backend($1)", victim.get_server_pid())
        with pytest.raises(db.UNREACHABLE):
            await using
    await killer.close()


async def _use(connection: asyncpg.Connection) -> None:
    while True:
        await connection.fetchval("select 1")
