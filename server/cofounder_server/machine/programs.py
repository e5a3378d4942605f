"""Our own programs as supervised services, one-time commands, and the ways to ask whether a program is ready."""

import asyncio
import io
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from cofounder_server.machine import folders, process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.process import Child
from cofounder_server.machine.service import Service

_ANSWER_DEADLINE = 5.0
_ONCE_STOP_DEADLINE = 3.0

READY_FIFO = "COFOUNDER_READY_FIFO"

Probe = Callable[[], Awaitable[bool]]


def accepts(port: int) -> Probe:
    """A probe: something accepts TCP connections on this loopback port."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_DEADLINE):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return probe


def answers_ok(port: int, path: str) -> Probe:
    """A probe: `GET path` on this loopback port is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_DEADLINE):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(request)
                    status = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return False
        return status.split(b" ")[1:2] == [b"200"]

    return probe


class Program(Service):
    """A command that runs until it is stopped.

    One without an address is asked nothing: it says itself when it is ready, by writing a line to the FIFO that
    READY_FIFO names in its environment.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        probe: Probe | None = None,
        keep_open: Sequence[int] = (),
        start_deadline: float = 60.0,
        stop_deadline: float = 10.0,
    ) -> None:
        """`probe` asks whether it is ready (None: it says so); `keep_open` are descriptors it inherits; deadlines are
        in seconds."""
        super().__init__(name, log=log, start_deadline=start_deadline, stop_deadline=stop_deadline)
        self._argv = tuple(argv)
        self._env = dict(env)
        self._probe = probe
        self._keep_open = tuple(keep_open)
        self._word = _Word(log.parent, name)

    async def _launch(self, output: int) -> Child:
        if self._probe is not None:
            return await process.spawn(self._argv, env=self._env, output=output, keep_open=self._keep_open)
        env = self._env | {READY_FIFO: str(self._word.ask())}
        return await process.spawn(self._argv, env=env, output=output, keep_open=self._keep_open)

    async def _is_ready(self) -> bool:
        return self._word.given() if self._probe is None else await self._probe()


class _Word:
    """The reading end of a FIFO, on which a program says that it is ready.

    It has a name rather than a number: whoever gets to see the environment later, such as a child of the program, can
    then write nothing into a descriptor that has become another's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.ready"
        self._reader: io.FileIO | None = None

    def ask(self) -> Path:
        """Returns where to say it; what a former process said no longer counts."""
        folders.private_folder(self._path.parent)
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        if self._reader is not None:
            self._reader.close()
        self._reader = io.FileIO(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        return self._path

    def given(self) -> bool:
        """Whether the program has said so."""
        return self._reader is not None and bool(self._reader.read(1))


async def run_once(name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
    """Runs a command to its end; raises MachineError with its last lines if it fails. Cancelled, it stops it."""
    output = folders.open_log(log)
    try:
        start = os.fstat(output).st_size
        child = await process.spawn(argv, env=env, output=output)
    finally:
        os.close(output)
    try:
        code = await child.wait()
    finally:
        await child.stop(deadline=_ONCE_STOP_DEADLINE)
    if code != 0:
        raise MachineError(
            f"{name} failed ({process.describe_exit(code)}). Its last lines ({log}):\n"
            f"{folders.last_lines(log, since=start)}"
        )
