"""Our own programs as supervised services, one-time commands, and the ways to ask whether a program is ready."""

import asyncio
import contextlib
import io
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cofounder_server.machine import folders, process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.process import Child
from cofounder_server.machine.service import Service

_ANSWER_DEADLINE = 5.0
_ONCE_STOP_DEADLINE = 3.0

READY_DESCRIPTOR = "COFOUNDER_READY_DESCRIPTOR"

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

    One without an address is asked nothing: it says itself when it is ready, by writing a line to the descriptor that
    READY_DESCRIPTOR names in its environment.
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
        self._word = _Word()

    async def _launch(self, output: int) -> Child:
        if self._probe is not None:
            return await process.spawn(self._argv, env=self._env, output=output, keep_open=self._keep_open)
        with self._word.asked() as descriptor:
            env, keep_open = self._env | {READY_DESCRIPTOR: str(descriptor)}, (*self._keep_open, descriptor)
            return await process.spawn(self._argv, env=env, output=output, keep_open=keep_open)

    async def _is_ready(self) -> bool:
        return self._word.given() if self._probe is None else await self._probe()


class _Word:
    """The reading end of a pipe on which a program says that it is ready."""

    def __init__(self) -> None:
        self._reader: io.FileIO | None = None

    @contextlib.contextmanager
    def asked(self) -> Iterator[int]:
        """Gives the writing end, for the program to inherit; what a former one said no longer counts."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        if self._reader is not None:
            self._reader.close()
        self._reader = io.FileIO(reader)
        try:
            yield writer
        finally:
            os.close(writer)

    def given(self) -> bool:
        """Whether the program has said so. An end without a word is no word: the process is then about to be reaped."""
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
