"""The parts of the running product and the order in which they start: engines, keys, migrations, programs."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cofounder_server.machine import addresses, environment, folders, ports, process, programs
from cofounder_server.machine.console import Console
from cofounder_server.machine.environment import Environment
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.lock import FolderLock
from cofounder_server.machine.ports import Port
from cofounder_server.machine.postgres import EmbeddedPostgres
from cofounder_server.machine.programs import Probe, Program
from cofounder_server.machine.supervise import Supervisor
from cofounder_server.machine.valkey import EmbeddedValkey

_REHEARSAL_PORT = 50151
_TAKEOVER_DEADLINE = 30.0
_CLI_STOP_DEADLINE = 3.0


@dataclass(frozen=True)
class Options:
    """How to run. Ports are wishes: a taken one is moved, and said. `sample`: begin with a sample build."""

    data: Path
    port: int
    grpc_port: int
    sample: bool
    environ: Mapping[str, str]


class Stack:
    """Every process of the product over one data folder.

    Starting, in this order:
    1. The data folder is locked; a second stack over it is an error.
    2. Postgres and Valkey start, unless DATABASE_URL or REDIS_URL name others; the keys are made meanwhile.
    3. Migrations run.
    4. The rehearsal model (if there is no real one), the server, a worker and the gateway start side by side.
    Stopping is the reverse; see Supervisor.
    """

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._data = folders.data_folder(options.data)
        self._supervisor = Supervisor(notice=console.say)
        self._lock = FolderLock(self._data / "run.lock", what=f"the data folder {self._data}")
        self._environment: Environment | None = None

    @property
    def ready_line(self) -> str:
        known = self._known()
        return f"ready http://127.0.0.1:{known.port} grpc 127.0.0.1:{known.grpc_port}"

    async def start(self) -> None:
        """Returns when everything answers; raises MachineError otherwise. `stop` is needed in both cases."""
        await self._lock.acquire(
            deadline=_TAKEOVER_DEADLINE,
            waiting=lambda: self._console.say("waiting for what an earlier run left behind to end …"),
        )
        database_url, redis_url = await self._start_stores()
        addresses.write(self._data, database_url=database_url, redis_url=redis_url)
        self._environment = self._choose_environment(database_url, redis_url)
        async with self._console.progress("preparing the database"):
            await self._once("migrate", self._environment.one_time())
        async with self._console.progress("starting server, worker and gateway"):
            await self._supervisor.start(*self._programs(self._environment))

    async def build(self, idea: str) -> int:
        """Runs the CLI's `build` in the foreground and returns its exit code."""
        child = await process.spawn(_module("cofounder_cli", "build", idea), env=self._known().cli(), stdin=None)
        try:
            return await child.wait()
        finally:
            await child.stop(signal.SIGINT, deadline=_CLI_STOP_DEADLINE)

    async def while_healthy(self, work: Awaitable[int]) -> int:
        """The result of `work`; raises MachineError, and cancels it, if the stack fails first."""
        working = asyncio.ensure_future(work)
        failing = asyncio.ensure_future(self.failed())
        try:
            await asyncio.wait({working, failing}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                failing.result()
            return working.result()
        finally:
            failing.cancel()
            working.cancel()
            await asyncio.gather(working, failing, return_exceptions=True)

    async def failed(self) -> None:
        """Waits until a part cannot be kept running, then raises MachineError."""
        await self._supervisor.failed()

    async def stop(self) -> None:
        """Stops everything and unlocks the folder. May be called any number of times."""
        await self._supervisor.stop()
        self._lock.release()

    def kill(self) -> None:
        """Kills every process at once; `stop` is still needed."""
        self._supervisor.kill()

    async def _start_stores(self) -> tuple[str, str]:
        environ = self._options.environ
        database_url, redis_url = environ.get("DATABASE_URL", ""), environ.get("REDIS_URL", "")
        pg_bin, valkey_bin = environ.get("PG_BIN"), environ.get("VALKEY_BIN")
        postgres = None if database_url else EmbeddedPostgres(self._data, pg_bin=pg_bin, notice=self._console.say)
        valkey = None if redis_url else EmbeddedValkey(self._data, valkey_bin=valkey_bin, notice=self._console.say)
        engines = [engine for engine in (postgres, valkey) if engine is not None]
        first = " (first time: creating the database)" if postgres is not None and postgres.is_new else ""
        names = " and ".join(engine.name.capitalize() for engine in engines)
        async with self._console.progress(f"starting {names}{first}" if engines else "making the keys"):
            await _together(self._supervisor.start(*engines), self._make_keys())
        return postgres.dsn if postgres else database_url, valkey.url if valkey else redis_url

    async def _make_keys(self) -> None:
        environ = environment.without_model_keys(self._options.environ)
        await self._once("keys", environ, "--data", str(self._data))

    async def _once(self, command: str, env: Mapping[str, str], *arguments: str) -> None:
        argv = _module("cofounder_server", command, *arguments)
        await programs.run_once(command, argv, env=env, log=self._log(command))

    def _choose_environment(self, database_url: str, redis_url: str) -> Environment:
        options = self._options
        port = ports.choose(options.port)
        grpc_port = ports.choose(options.grpc_port, but={port.number})
        self._say_if_moved(port, "PORT")
        self._say_if_moved(grpc_port, "GRPC_PORT")
        rehearsal_port = None
        if environment.is_rehearsal(options.environ):
            asked = int(options.environ.get("COFOUNDER_REHEARSAL_PORT") or _REHEARSAL_PORT)
            rehearsal_port = ports.choose(asked, but={port.number, grpc_port.number}).number
            self._console.say(
                "This is a rehearsal: without ANTHROPIC_API_KEY the model's words are scripted and your idea is not "
                "read. Everything else is real."
            )
        return Environment(
            environ=options.environ,
            data=self._data,
            database_url=database_url,
            redis_url=redis_url,
            port=port.number,
            grpc_port=grpc_port.number,
            rehearsal_port=rehearsal_port,
        )

    def _say_if_moved(self, port: Port, variable: str) -> None:
        if port.was_moved:
            self._console.say(f"port {port.asked} ({variable}) is taken, using {port.number} instead")

    def _programs(self, known: Environment) -> list[Program]:
        server = self._program(
            "server", ("cofounder_server", "serve"), known.server(), programs.accepts(known.grpc_port)
        )
        worker = self._program("worker", ("cofounder_server", "work"), known.worker())
        health = programs.answers_ok(known.port, "/api/health")
        gateway = self._program("gateway", ("cofounder_gateway",), known.gateway(), health)
        if known.rehearsal_port is None:
            return [server, worker, gateway]
        speaks = programs.accepts(known.rehearsal_port)
        model = ("cofounder_server", "rehearsal-model")
        return [self._program("model", model, known.rehearsal_model(), speaks), server, worker, gateway]

    def _program(
        self, name: str, module: tuple[str, ...], env: Mapping[str, str], probe: Probe | None = None
    ) -> Program:
        # Each child holds the folder's lock, so that a next run waits for what a killed one left behind.
        keep_open = [self._lock.fileno()]
        return Program(name, _module(*module), env=env, log=self._log(name), probe=probe, keep_open=keep_open)

    def _log(self, name: str) -> Path:
        return self._data / "logs" / f"{name}.log"

    def _known(self) -> Environment:
        if self._environment is None:
            raise MachineError("The stack has no addresses before it is started.")
        return self._environment


async def _together(*work: Awaitable[None]) -> None:
    """Awaits all; the first error cancels the others and is raised as itself."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
