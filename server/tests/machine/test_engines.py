"""Issue 2 point 2: real Postgres and Valkey, persistent under one data folder, recovering from any kill."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio

from cofounder_server.machine import postgres as postgres_module
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.supervise import Supervisor
from cofounder_server.machine.valkey import EmbeddedValkey

pytestmark = pytest.mark.integration

Eventually = Callable[..., Awaitable[None]]


async def query(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def command(url: str, *words: object) -> Any:
    async with redis.asyncio.Redis.from_url(url) as client:
        return await client.execute_command(*words)


async def test_rows_and_keys_survive_a_stop_and_a_start(data: Path) -> None:
    """Persistent under one data folder."""
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        await query(postgres.dsn, "create table kept as select 42 as n")
        await command(valkey.url, "SET", "kept", "42")
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        assert await query(postgres.dsn, "select n from kept") == 42
        assert await command(valkey.url, "GET", "kept") == b"42"


async def test_committed_rows_survive_kill_9_of_postgres(data: Path, eventually: Eventually) -> None:
    """Recovery after kill -9: every acknowledged commit is there, and the supervisor brings the engine back."""
    postgres, supervisor = EmbeddedPostgres(data), Supervisor()
    try:
        await supervisor.start(postgres)
        first = postgres.pid
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute("create table kept (n int)")
        for n in range(200):
            await connection.execute("insert into kept values ($1)", n)
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: postgres.pid != first)
        assert await until_connected(postgres.dsn, "select count(*) from kept") == 200
    finally:
        await supervisor.stop()


async def until_connected(dsn: str, sql: str) -> Any:
    """As a client does it: tries again until the server is back."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await query(dsn, sql)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.02)


async def test_synced_keys_survive_kill_9_of_valkey(data: Path, eventually: Eventually) -> None:
    """Recovery after kill -9: what reached the append-only file is there."""
    valkey, supervisor = EmbeddedValkey(data), Supervisor()
    try:
        await supervisor.start(valkey)
        first = valkey.pid
        async with redis.asyncio.Redis.from_url(valkey.url) as client:
            await client.set("kept", "42")
            assert await client.execute_command("WAITAOF", 1, 0, 30_000) == [1, 0]
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: valkey.pid != first)
        await valkey._until_ready(valkey._started())
        assert await command(valkey.url, "GET", "kept") == b"42"
    finally:
        await supervisor.stop()


async def test_nothing_is_traded_for_speed(data: Path) -> None:
    """fsync and synchronous_commit stay on; Valkey keeps an append-only file and evicts nothing."""
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await query(postgres.dsn, f"show {setting}") == "on"
        assert await query(postgres.dsn, "show server_encoding") == "UTF8"
        assert await command(valkey.url, "CONFIG", "GET", "appendonly") == {b"appendonly": b"yes"}
        assert await command(valkey.url, "CONFIG", "GET", "maxmemory-policy") == {b"maxmemory-policy": b"noeviction"}


async def test_the_address_also_serves_libpq(data: Path) -> None:
    """asyncpg and psycopg (libpq) connect by the same DSN, whatever PGPORT says."""
    async with EmbeddedPostgres(data) as postgres:
        psql = postgres_module.find_binaries() / "psql"
        child = await asyncio.create_subprocess_exec(
            psql, postgres.dsn, "-Atc", "select 6*7", stdout=subprocess.PIPE, env={"PGPORT": "1"}
        )
        assert (await child.communicate())[0] == b"42\n"


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedValkey])
async def test_a_second_instance_over_the_same_data_is_refused_at_once(tmp_path: Path, kind: type[Any]) -> None:
    """A second instance over the same data folder is noticed and said clearly, and the first is not disturbed."""
    async with kind(tmp_path) as first:
        with pytest.raises(MachineError, match=rf"Process {os.getpid()} is already using .*COFOUNDER_DATA"):
            await kind(tmp_path).start()
        assert await first._is_ready()


async def test_an_interrupted_initdb_heals(tmp_path: Path, scripts: Any, eventually: Eventually) -> None:
    """kill -9 while the database is being made: the next start makes it anew."""
    binaries, data = tmp_path / "bin", tmp_path / "data"
    real = postgres_module.find_binaries()
    binaries.mkdir()
    (binaries / "postgres").symlink_to(real / "postgres")
    made = tmp_path / "made"
    # All files are there, and the program is not over: the last moment at which a kill can come.
    (binaries / "initdb").write_text(f'#!/bin/sh\n"{real}/initdb" "$@" && touch "{made}"\nexec sleep 600\n')
    (binaries / "initdb").chmod(0o755)
    parent = await scripts.start("engines_script.py", data, binaries)
    await eventually(made.exists)
    parent.kill()
    await parent.wait()
    assert (data / "postgres" / "cluster.partial" / "cluster" / "PG_VERSION").exists()
    async with EmbeddedPostgres(data) as postgres:
        assert await query(postgres.dsn, "select 1") == 1
    assert not (data / "postgres" / "cluster.partial").exists()


async def test_a_failed_initdb_says_why(tmp_path: Path) -> None:
    """Errors say what happened: the last lines of initdb are in the message."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "postgres").symlink_to(postgres_module.find_binaries() / "postgres")
    (binaries / "initdb").write_text("#!/bin/sh\necho no space left on device\nexit 1\n")
    (binaries / "initdb").chmod(0o755)
    with pytest.raises(MachineError, match="no space left on device"):
        await EmbeddedPostgres(tmp_path / "data", pg_bin=str(binaries)).start()


async def test_a_process_id_that_was_given_out_again_does_not_block_the_start(tmp_path: Path) -> None:
    """A stale postmaster.pid is noticed, even if its number now belongs to another program."""
    async with EmbeddedPostgres(tmp_path) as postgres:
        pid_file = (tmp_path / "postgres" / "cluster" / "postmaster.pid").read_text()
    other = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        first_line = pid_file.splitlines()[0]
        stale = pid_file.replace(first_line, str(other.pid), 1)
        (tmp_path / "postgres" / "cluster" / "postmaster.pid").write_text(stale)
        async with EmbeddedPostgres(tmp_path) as postgres:
            assert await query(postgres.dsn, "select 1") == 1
    finally:
        other.kill()
        await other.wait()


@pytest.mark.parametrize("name", ["x" * 120, "a, b 'c' %20 ü", "plain"])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    """A path that is too long for a socket, or needs quoting, gets a short private socket folder instead."""
    data = tmp_path / name
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        assert await query(postgres.dsn, "select 1") == 1
        assert await command(valkey.url, "PING")
        folders = [postgres._sockets, valkey._sockets]
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
    assert not any(folder.exists() for folder in folders)


async def test_secrets_are_neither_on_a_command_line_nor_readable_by_others(data: Path) -> None:
    """No secret in an argument or in a file that others may read; no key of the caller in an engine."""
    async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
        for engine in (postgres, valkey):
            password_file = data / engine.name / "password"
            assert password_file.stat().st_mode & 0o077 == 0
            password = password_file.read_text().strip().encode()
            assert password not in Path(f"/proc/{engine.pid}/cmdline").read_bytes()
            assert b"HOME=" not in Path(f"/proc/{engine.pid}/environ").read_bytes()
            assert (data / engine.name).stat().st_mode & 0o077 == 0
        assert (data / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(postgres.dsn.replace("cofounder:", "cofounder:wrong"), "select 1")


async def test_a_lost_password_is_said_and_nothing_is_made_anew(tmp_path: Path) -> None:
    """Errors say what to do next."""
    async with EmbeddedPostgres(tmp_path):
        pass
    password = tmp_path / "postgres" / "password"
    kept = password.read_text()
    password.unlink()
    with pytest.raises(MachineError, match="password is missing"):
        await EmbeddedPostgres(tmp_path).start()
    password.write_text("another\n")
    with pytest.raises(MachineError, match="does not accept the password"):
        await EmbeddedPostgres(tmp_path).start()
    password.write_text(kept)
    async with EmbeddedPostgres(tmp_path) as postgres:
        assert await query(postgres.dsn, "select 1") == 1


@pytest.mark.parametrize(
    ("kind", "broken"), [(EmbeddedPostgres, "cluster/PG_VERSION"), (EmbeddedValkey, "appendonlydir")]
)
async def test_an_engine_that_cannot_start_says_its_last_words(tmp_path: Path, kind: type[Any], broken: str) -> None:
    """A start that fails names the log, quotes its end, and leaves nothing running and nothing locked."""
    async with kind(tmp_path) as engine:
        pass
    path = engine.folder / broken
    if path.is_dir():
        (path / "appendonly.aof.manifest").write_text("nonsense\n")
    else:
        path.write_text("nonsense\n")
    again = kind(tmp_path)
    with pytest.raises(MachineError, match=rf"ended before it was ready(.|\n)*logs/{engine.name}.log"):
        await again.start()
    assert again._started().returncode is not None
    with pytest.raises(MachineError, match="ended before it was ready"):
        await kind(tmp_path).start()


async def test_stopping_is_idempotent_and_may_be_concurrent(tmp_path: Path) -> None:
    """Numbered, idempotent stop."""
    engine = EmbeddedPostgres(tmp_path)
    await engine.stop()
    await engine.start()
    await asyncio.gather(engine.stop(), engine.stop())
    await engine.stop()
    assert "database system is shut down" in engine.log.read_text()
