"""The whole product, started as a newcomer starts it, in a folder and on ports of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gateway and a server answer, and the folder with the keys to them."""

    data: Path
    port: int
    grpc_port: int

    @property
    def token(self) -> str:
        return (self.data / "keys" / "me.token").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """What the CLI needs to know."""
        return {
            **os.environ,
            "COFOUNDER_GRPC": f"127.0.0.1:{self.grpc_port}",
            "COFOUNDER_TOKEN_FILE": str(self.data / "keys" / "me.token"),
        }


@dataclass(frozen=True, slots=True)
class RunningStack(Address):
    """A stack that answers."""

    process: asyncio.subprocess.Process

    def pid_of(self, program: str) -> int:
        """Returns the process of a program, `cofounder_server work`, by its arguments. Raises LookupError."""
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if parent == self.process.pid and f"-m {program}" in arguments:
                    return int(folder.name)
        raise LookupError(f"no process runs {program}")

    def kill(self, program: str) -> None:
        """Kills a program with -9. The supervisor starts it again."""
        os.kill(self.pid_of(program), signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running(data: Path, **settings: str) -> AsyncIterator[RunningStack]:
    """Starts the stack without its sample build; stops it as Ctrl-C does.

    Args:
        settings: Environment variables of the stack, such as `COFOUNDER_REHEARSAL_PACE="0"`.
    """
    environment: Mapping[str, str] = {
        **os.environ,
        "PORT": str(free_port()),
        "GRPC_PORT": str(free_port()),
        "COFOUNDER_SAMPLE": "0",
        "COFOUNDER_DATA": str(data),
        **settings,
    }
    command = (sys.executable, "-m", "cofounder_server", "run")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        yield await _ready(data, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _ready(data: Path, process: asyncio.subprocess.Process) -> RunningStack:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        while line := (await process.stdout.readline()).decode():
            words = line.split()
            if words[:1] == ["ready"]:
                return RunningStack(data, int(words[1].rpartition(":")[2]), int(words[3].rpartition(":")[2]), process)
    raise RuntimeError(f"the stack ended before it was ready; its logs are in {data / 'logs'}")
