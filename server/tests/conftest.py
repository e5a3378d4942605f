"""One real Postgres and one real Valkey for a test session; a migrated database that each test finds empty.

With DATABASE_URL and REDIS_URL set, those servers are used instead of embedded ones.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio as redis

from cofounder_server import db
from cofounder_server.app import schema
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.valkey import EmbeddedValkey


@pytest.fixture(scope="session")
def engines_folder() -> Iterator[Path]:
    """A data folder for the session's engines. Not below pytest's own, which only its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="engines-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_dsn(engines_folder: Path) -> AsyncIterator[str]:
    """The address of a Postgres server that tests may make databases in."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    async with EmbeddedPostgres(engines_folder) as postgres:
        yield postgres.dsn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(postgres_dsn: str) -> AsyncIterator[str]:
    """The address of the session's database, migrated. What migrations put into tables is kept aside in `seed`."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres_dsn, f"create database {name}")
    dsn = _in_database(postgres_dsn, name)
    await schema.migrate(dsn)
    await _execute(dsn, "create schema seed", *(f"create table seed.{t} as table {t}" for t in await _tables(dsn)))
    yield dsn
    await _execute(postgres_dsn, f"drop database {name} with (force)")


@pytest_asyncio.fixture
async def database(migrated: str) -> str:
    """The address of a database as migrations leave it, which nobody else uses. Emptied, not cloned: it is faster."""
    tables = await _tables(migrated)
    await _execute(
        migrated,
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()",
        f"truncate {', '.join(tables)} cascade",
        *(f"insert into {table} select * from seed.{table}" for table in tables),
    )
    return migrated


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to this test's database."""
    pool = await db.open_pool(database, size=10)
    yield pool
    # At once: what a test left running must not keep it from ending.
    pool.terminate()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_url(engines_folder: Path) -> AsyncIterator[str]:
    """The address of a Valkey or Redis server that tests may empty."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    async with EmbeddedValkey(engines_folder) as valkey:
        yield valkey.url


@pytest_asyncio.fixture
async def redis_url(valkey_url: str) -> str:
    """The address of a Valkey that holds nothing."""
    client = redis.Redis.from_url(valkey_url)
    await client.flushdb()
    await client.aclose()
    return valkey_url


@pytest_asyncio.fixture
async def redis_client(redis_url: str) -> AsyncIterator[redis.Redis]:
    """A client of a Valkey that holds nothing."""
    client = redis.Redis.from_url(redis_url)
    yield client
    await client.aclose()


def _in_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def _tables(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        return [row["tablename"] for row in rows if row["tablename"] != "migrations"]
    finally:
        await connection.close()


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
