"""What the store in Postgres owes to the locks of Postgres."""

import asyncio

import asyncpg
import pytest

from cofounder_server.blobs.blobs import address_of
from cofounder_server.blobs.postgres import PostgresStore

pytestmark = pytest.mark.integration

WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def test_writers_of_the_same_blobs_in_opposite_orders_do_not_deadlock(pool: asyncpg.Pool):
    """Somebody else is about to insert one in the middle: both stop there, each with what the other wants next."""
    bodies = {address_of(body): body for body in (b"a", b"b", b"c", b"d", b"e")}
    forth = dict(sorted(bodies.items()))
    back = dict(reversed(forth.items()))
    store = PostgresStore(pool)
    async with pool.acquire() as other, asyncio.timeout(30):
        transaction = other.transaction()
        await transaction.start()
        await other.execute("insert into blobs (address, body) values ($1, 'x')", list(forth)[2])
        writers = [asyncio.create_task(store.write(order)) for order in (forth, back)]
        while await pool.fetchval(WAITING) < 2:
            await asyncio.sleep(0.01)
        await transaction.rollback()
        await asyncio.gather(*writers)
    assert await store.read(list(bodies)) == bodies
