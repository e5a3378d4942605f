"""The product as the bench runs it: real engines, a server process and a gateway process, and no worker of its own."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from cofounder_server import db
from cofounder_server.identity import machine_keys
from cofounder_server.machine import programs
from cofounder_server.machine.engine import Engine
from cofounder_server.machine.environment import Environment
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.programs import Program
from cofounder_server.machine.supervise import Supervisor
from cofounder_server.machine.valkey import EmbeddedValkey
from cofounder_testkit.stack import free_port

# All the bench's watchers are one user, who says hello a hundred times in a moment.
SETTINGS = {"COFOUNDER_MAX_CALLS_PER_SECOND": "1000", "COFOUNDER_LOG_LEVEL": "WARNING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the product answers, and which processes it is."""

    database_url: str
    redis_url: str
    port: int
    grpc_port: int
    token: str
    pids: dict[str, int]


@contextlib.asynccontextmanager
async def running(data: Path, *, profile: Path | None = None) -> AsyncIterator[Site]:
    """Starts the product over `data`; with `profile`, server and gateway write what took their time into that folder.

    DATABASE_URL and REDIS_URL name other engines: in the first, a database is made and dropped again.
    """
    supervisor = Supervisor()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(supervisor.stop)
        database_url, redis_url = await _start_engines(data, supervisor)
        database_url = await stack.enter_async_context(_database(database_url))
        await db.migrate(database_url)
        machine_keys.ensure_keys(data)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        known = Environment(
            environ=environ | SETTINGS,
            data=data,
            database_url=database_url,
            redis_url=redis_url,
            port=free_port(),
            grpc_port=free_port(),
            rehearsal_port=None,
        )
        server, gateway = _programs(known, profile)
        await supervisor.start(server, gateway)
        yield Site(
            database_url=database_url,
            redis_url=redis_url,
            port=known.port,
            grpc_port=known.grpc_port,
            token=(data / "keys" / "me.token").read_text().strip(),
            pids={"server": server.pid, "gateway": gateway.pid},
        )
        await server.stop()
        await gateway.stop()


async def _start_engines(data: Path, supervisor: Supervisor) -> tuple[str, str]:
    database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    postgres = None if database_url else EmbeddedPostgres(data)
    valkey = None if redis_url else EmbeddedValkey(data)
    engines: list[Engine] = [engine for engine in (postgres, valkey) if engine is not None]
    await supervisor.start(*engines)
    return postgres.dsn if postgres else database_url, valkey.url if valkey else redis_url


@contextlib.asynccontextmanager
async def _database(server_url: str) -> AsyncIterator[str]:
    name = f"bench_{uuid4().hex}"
    await _execute(server_url, f"create database {name}")
    yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    await _execute(server_url, f"drop database {name} with (force)")


async def _execute(url: str, statement: str) -> None:
    connection: asyncpg.Connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _programs(known: Environment, profile: Path | None) -> tuple[Program, Program]:
    def program(name: str, module: list[str], env: dict[str, str], probe: programs.Probe) -> Program:
        profiled = ["-m", "cProfile", "-o", str(profile / f"{name}.prof")] if profile else []
        argv = [sys.executable, *profiled, "-m", *module]
        return Program(name, argv, env=env, log=known.data / "logs" / f"{name}.log", probe=probe)

    health = programs.answers_ok(known.port, "/api/health")
    return (
        program("server", ["cofounder_server", "serve"], known.server(), programs.accepts(known.grpc_port)),
        program("gateway", ["cofounder_gateway"], known.gateway(), health),
    )
