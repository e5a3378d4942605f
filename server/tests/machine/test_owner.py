"""Issue 2 point 2, as root: Postgres refuses root, and each way around it leaves the folders above as they were."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from cofounder_server.machine import owner, postgres
from cofounder_server.machine.postgres import EmbeddedPostgres

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else"),
]


async def test_a_reachable_folder_means_an_unused_user(reachable: Path) -> None:
    before = reachable.stat()
    async with EmbeddedPostgres(reachable / "data") as engine:
        uid = Path(f"/proc/{engine.pid}").stat().st_uid
        assert uid not in {0, 65534}
        assert (reachable / "data" / "postgres" / "cluster").stat().st_uid == uid
    assert reachable.stat().st_mode == before.st_mode


async def test_a_private_folder_means_a_namespace_and_files_stay_roots(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    above = {path: path.stat().st_mode for path in tmp_path.parents}
    async with EmbeddedPostgres(tmp_path / "data") as engine:
        assert Path(f"/proc/{engine.pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
    owners = {path.lstat().st_uid for path in (tmp_path / "data").rglob("*")}
    assert owners == {0}
    assert {path: path.stat().st_mode for path in tmp_path.parents} == above
    assert tmp_path.stat().st_mode & 0o777 == 0o700


async def test_a_folder_that_becomes_reachable_keeps_its_rows(tmp_path: Path, reachable: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "data") as engine:
        connection = await asyncpg.connect(engine.dsn)
        await connection.execute("create table kept as select 7 as n")
        await connection.close()
    (tmp_path / "data").rename(reachable / "data")
    async with EmbeddedPostgres(reachable / "data") as engine:
        connection = await asyncpg.connect(engine.dsn)
        assert await connection.fetchval("select n from kept") == 7
        await connection.close()


async def test_a_folder_of_an_ordinary_user_stays_theirs(reachable: Path, ordinary_uid: int) -> None:
    other = ordinary_uid - 1
    os.chown(reachable, other, other)
    (reachable / "data").mkdir()
    os.chown(reachable / "data", other, other)
    async with EmbeddedPostgres(reachable / "data") as engine:
        assert Path(f"/proc/{engine.pid}").stat().st_uid == other


def test_where_neither_way_is_open_the_error_says_what_to_change(tmp_path: Path) -> None:
    program = postgres.find_binaries() / "postgres"
    code = (
        "import sys; from pathlib import Path; from cofounder_server.machine import owner\n"
        "owner.choose(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    # A namespace in which no other user exists and no further namespace may be made.
    denied = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", denied, "-", sys.executable, "-c", code, tmp_path, program],
        env={**os.environ, "PYTHONPATH": str(Path(owner.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    if "max_user_namespaces" in done.stderr or "unshare" in done.stderr.partition("\n")[0]:
        pytest.skip("user namespaces cannot be limited here")
    assert "MachineError: Postgres refuses to run as root" in done.stderr
    assert "COFOUNDER_DATA" in done.stderr
    assert "DATABASE_URL" in done.stderr
