"""A store that is away makes whoever needs it wait, and nothing else."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from cofounder_server import db
from cofounder_server.blobs.blobs import AWAY_SECONDS, Blobs
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.blobs.s3 import S3Store
from cofounder_server.blobs.store import StoreAway
from cofounder_server.clock import VirtualClock
from cofounder_server.machine import ports

pytestmark = pytest.mark.integration


async def test_puts_and_gets_wait_until_the_store_is_back(flaky, pool: asyncpg.Pool):
    clock = VirtualClock()
    began = clock.now()
    blobs = Blobs(flaky(PostgresStore(pool), away=3), clock)
    addresses = await blobs.put([b"one", b"two"])
    assert clock.now() - began == timedelta(seconds=3 * AWAY_SECONDS)
    assert await blobs.get(addresses) == [b"one", b"two"]


async def test_who_waits_can_be_cancelled(flaky, pool: asyncpg.Pool):
    store = flaky(PostgresStore(pool), away=10**9)
    waiting = asyncio.create_task(Blobs(store, VirtualClock()).get([b"x" * 32]))
    while store.calls < 3:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_postgres_away_is_a_store_away(database: str):
    pool = await db.open_pool(database, size=1)
    pool.terminate()
    with pytest.raises(StoreAway):
        await PostgresStore(pool).find([b"x" * 32])


async def test_s3_away_or_refusing_is_a_store_away(bucket):
    """The bucket is real, and so is the refusal: the server checks signatures."""
    with pytest.raises(StoreAway, match="PermissionDenied"):
        await bucket(secret_access_key="another").write({b"x" * 32: b"x"})
    endpoint = f"http://127.0.0.1:{ports.choose(0).number}"
    away = S3Store(bucket="b", endpoint=endpoint, region="r", access_key_id="k", secret_access_key="s")
    for call in (away.write({b"x" * 32: b"x"}), away.read([b"x" * 32]), away.find([b"x" * 32])):
        with pytest.raises(StoreAway):
            await call
