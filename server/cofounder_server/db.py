"""Postgres: the pool, named queries out of `.sql` files, and migrations."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import resources
from types import SimpleNamespace
from typing import Any

import asyncpg

from cofounder_server import errors

# Any number, as long as nothing else in the database locks it: "cofound" in ASCII.
MIGRATION_LOCK = 0x636F666F756E64
CONNECT_SECONDS = 10.0

# No transaction of ours waits for anything but Postgres. One that does nothing for so long is of a process that hangs,
# and its locks must not be held as long as its connection lives. Nobody waits for a lock much longer than that.
SESSION = {"idle_in_transaction_session_timeout": "5s", "lock_timeout": "10s"}

# What asyncpg raises when the server is away, restarts or refuses for now, as opposed to a fault of ours.
UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # A query on a connection that the server has just said goodbye on, before its end was read.
    asyncpg.InternalClientError,
    # A transaction that hung, see SESSION; and a lock that is not to be had in time.
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    TimeoutError,
)


class CannotConnectError(Exception):
    """Postgres cannot be used as DATABASE_URL says; the text says why and what to change."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(
            f"Postgres cannot be used as DATABASE_URL says: {fault}. Set it right, or start Postgres there."
        )


Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
# Whatever runs a single statement.
Source = Connection | asyncpg.Pool


async def open_pool(dsn: str, *, size: int = 10, patience: float = CONNECT_SECONDS) -> asyncpg.Pool:
    """Returns a pool of up to `size` connections, waiting up to `patience` seconds for Postgres to come up.

    Raises:
        DependencyUnavailable: It did not.
        CannotConnectError: It refuses us, and waiting does not help.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await asyncpg.create_pool(
                dsn, min_size=1, max_size=size, command_timeout=30, server_settings=SESSION
            )
        except UNREACHABLE as fault:
            if asyncio.get_running_loop().time() > deadline:
                raise errors.DependencyUnavailable("Postgres") from fault
            await asyncio.sleep(0.1)
        except asyncpg.PostgresError as fault:
            raise CannotConnectError(fault) from fault


def queries(package: str, name: str = "queries.sql") -> SimpleNamespace:
    """Returns the named queries of a `.sql` file in `package`, as attributes.

    A query begins at a line `-- name: <identifier>`; comment lines after it describe it.
    """
    text = (resources.files(package) / name).read_text()
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)[1:]
    return SimpleNamespace(**dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True)))


@cache
def migrations() -> Mapping[str, str]:
    """Returns the SQL of every migration by its file name, in the order they apply."""
    folder = resources.files("cofounder_server.migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {file.name: file.read_text() for file in files}


async def migrate(dsn: str, others: Mapping[str, Callable[[str], Awaitable[None]]] | None = None) -> list[str]:
    """Brings the database up to this program's schema and returns the names of what was applied.

    Runs under an advisory lock, so any number of processes may start at once; each migration is one transaction.
    `others` see to tables that a library versions itself, by names that change with its version: each runs last, under
    the same lock, where it did not run yet. It must do nothing where nothing is to be done.

    Raises:
        CannotConnectError: Postgres is not there, or refuses us.
    """
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    except (*UNREACHABLE, asyncpg.PostgresError) as fault:
        raise CannotConnectError(fault) from fault
    applied = []
    try:
        await _lock(connection)
        await connection.execute(
            "create table if not exists migrations (name text primary key, apply_time timestamptz default now())"
        )
        known = {row["name"] for row in await connection.fetch("select name from migrations")}
        for name, sql in migrations().items():
            if name not in known:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute("insert into migrations (name) values ($1)", name)
                applied.append(name)
        for name, other in (others or {}).items():
            if name not in known:
                await other(dsn)
                await connection.execute("insert into migrations (name) values ($1)", name)
                applied.append(name)
    finally:
        await connection.close()
    return applied


async def _lock(connection: "asyncpg.Connection[Any]") -> None:
    """Takes the migrations' lock, by asking again and again.

    Who waits for it inside Postgres holds a snapshot, and a `create index concurrently` of `others` would wait for that
    in turn, for ever.
    """
    while True:
        if await connection.fetchval("select pg_try_advisory_lock($1)", MIGRATION_LOCK):
            return
        await asyncio.sleep(0.05)
