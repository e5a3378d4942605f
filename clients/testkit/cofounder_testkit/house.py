"""A house: real engines and the product's programs, each its own process, each started again when it ends.

Unlike `stack`, the programs are those of the testing entry point, so that failpoints can hold them; there are several
workers; and whoever lives in the house knows every process.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import redis.asyncio as redis

from cofounder_server.app import schema
from cofounder_server.builds.queue import Queue
from cofounder_server.identity import machine_keys
from cofounder_server.machine import programs
from cofounder_server.machine.environment import Environment
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.programs import Program
from cofounder_server.machine.service import Service
from cofounder_server.machine.supervise import Supervisor
from cofounder_server.machine.valkey import EmbeddedValkey
from cofounder_testkit.holds import Holds
from cofounder_testkit.stack import Address, free_port

LEASE_SECONDS = 2.0
# Death is noticed soon, so that a cell is short.
QUICK = {
    "COFOUNDER_LEASE_SECONDS": str(LEASE_SECONDS),
    "COFOUNDER_HEARTBEAT_SECONDS": "0.5",
    "COFOUNDER_SWEEP_SECONDS": "0.3",
    "COFOUNDER_POLL_SECONDS": "0.3",
    "COFOUNDER_DRAIN_SECONDS": "1",
    "COFOUNDER_GATEWAY_DRAIN_SECONDS": "0.5",
    "COFOUNDER_GATEWAY_GOODBYE_SECONDS": "0.5",
    "COFOUNDER_GATEWAY_RECONNECT_MAX_SECONDS": "0.5",
    "COFOUNDER_REHEARSAL_PACE": "0.002",
}


class House:
    """A running house. `address` is where to watch; `pool` and `client` see the truth and the index from outside."""

    def __init__(self, data: Path, settings: Mapping[str, str], *, workers: int) -> None:
        self.address = Address(data, free_port(), free_port())
        self.postgres = EmbeddedPostgres(data)
        self.valkey = EmbeddedValkey(data)
        self.workers: list[Service] = []
        self.holds = Holds(data / "holds")
        self._settings = {**os.environ, **QUICK, **settings, "COFOUNDER_FAILPOINTS": self.holds.failpoints}
        self._worker_count = workers
        self._doors = contextlib.AsyncExitStack()
        # Never given up and soon back: a matrix ends the same service hundreds of times.
        self._supervisor = Supervisor(most_failures=1_000_000, window=0.5, longest_pause=0.2)

    async def start(self) -> None:
        """Starts engines, then programs, and returns when all answer."""
        data = self.address.data
        await self._supervisor.start(self.postgres, self.valkey)
        machine_keys.ensure_keys(data)
        await schema.migrate(self.postgres.dsn)
        known = Environment(
            environ=self._settings,
            data=data,
            database_url=self.postgres.dsn,
            redis_url=self.valkey.url,
            port=self.address.port,
            grpc_port=self.address.grpc_port,
            rehearsal_port=None,
        )
        # None is kept open for its own sake: Postgres may be away.
        self.pool = await asyncpg.create_pool(self.postgres.dsn, min_size=0, max_size=2, command_timeout=30)
        self._doors.callback(self.pool.terminate)
        self.client = redis.Redis.from_url(self.valkey.url)
        self._doors.push_async_callback(self.client.aclose)
        self.queue = Queue(self.client, lease_seconds=LEASE_SECONDS)
        # No plan limits the builds of a day here: a matrix has hundreds.
        await self.pool.execute("update plans set builds_a_day = -1")
        await self._start_programs(known)

        self._doors.callback(self.pool.terminate)
        self._doors.push_async_callback(self.client.aclose)

    async def _start_programs(self, known: Environment) -> None:
        data, testing = self.address.data, "cofounder_server.testing"
        self.server = _program("server", testing, "serve", env=known.server(), data=data, probe=self._server_answers)
        health = programs.answers_ok(known.port, "/api/health")
        self.gateway = _program("gateway", "cofounder_gateway", env=known.gateway(), data=data, probe=health)
        self.workers = [
            _program(f"worker-{number}", testing, "work", env=known.worker(), data=data)
            for number in range(1, self._worker_count + 1)
        ]
        await self._supervisor.start(self.server, self.gateway, *self.workers)

    async def _server_answers(self) -> bool:
        return await programs.accepts(self.address.grpc_port)()

    async def stop(self) -> None:
        """Stops everything, however far it came."""
        self.holds.clear()
        await self._supervisor.stop()
        await self._doors.aclose()

    def worker_of(self, pid: int) -> Service:
        return next(worker for worker in self.workers if worker.pid == pid)

    @property
    def victims(self) -> dict[str, Service]:
        """Who may be killed, by name; of the workers any."""
        return {"server": self.server, "gateway": self.gateway, "redis": self.valkey, "postgres": self.postgres}

    def pids(self, place: str) -> set[int]:
        """Returns the processes of a place, "server" or "worker", as of now."""
        return {worker.pid for worker in self.workers} if place == "worker" else {self.server.pid}


def _program(
    name: str, *module: str, env: Mapping[str, str], data: Path, probe: programs.Probe | None = None
) -> Program:
    argv = [sys.executable, "-m", *module]
    return Program(name, argv, env=env, log=data / "logs" / f"{name}.log", probe=probe, start_deadline=120.0)


@contextlib.asynccontextmanager
async def running(data: Path, *, workers: int = 2, **settings: str) -> AsyncIterator[House]:
    """Runs a house as long as the block does. `settings` are environment variables of its programs."""
    house = House(data, settings, workers=workers)
    try:
        await house.start()
        yield house
    finally:
        await house.stop()
