"""Folders as seen by root, helpers that wait for conditions, and scripts run as processes of their own."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import cofounder_server
from cofounder_server.machine import process

HERE = Path(__file__).parent
SERVER = Path(cofounder_server.__file__).parents[1]
ORDINARY_UID = 65534
UNNAMED_UID = 54321


@pytest.fixture
def eventually() -> Callable[..., object]:
    """`await eventually(condition)`: returns when it holds, fails after a generous deadline."""

    async def wait(condition: Callable[[], object], *, deadline: float = 60.0) -> None:
        async with asyncio.timeout(deadline):
            while not condition():
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def gone(eventually: Callable[..., object]) -> Callable[..., object]:
    """`await gone(pids)`: returns when none of them runs any more."""

    async def wait(pids: list[int]) -> None:
        await eventually(lambda: not any(process.is_alive(pid) for pid in pids))

    return wait


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="reachable-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["private", "reachable"])
def data(request: pytest.FixtureRequest, tmp_path: Path, reachable: Path) -> Path:
    """A data folder to be: below a folder that only we may enter, and below one that everybody may."""
    return (tmp_path if request.param == "private" else reachable) / "data"


class Scripts:
    """Starts `*_script.py` of this folder as processes, and kills what is left of them."""

    def __init__(self, shims: Path) -> None:
        self.running: list[asyncio.subprocess.Process] = []
        # A system Python before 3.11.3 needs async_timeout for redis-py, and the packages are those of a newer one.
        self._shims = shims
        (shims / "async_timeout.py").write_text("from asyncio import timeout\n\n__all__ = ['timeout']\n")

    async def start(
        self, name: str, *arguments: object, uid: int | None = None, env: dict[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        python, path = (sys.executable, None) if uid is None else ordinary_python(uid)
        child = await asyncio.create_subprocess_exec(
            python,
            str(HERE / name),
            *map(str, arguments),
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            cwd="/",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(SERVER), *([path, str(self._shims)] if path else [])]),
                **(env or {}),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.running.append(child)
        return child


@pytest.fixture
async def scripts(reachable: Path) -> AsyncIterator[Scripts]:
    shims = reachable / "shims"
    shims.mkdir()
    made = Scripts(shims)
    yield made
    for child in made.running:
        if child.returncode is None:
            child.kill()
        await child.wait()


def ordinary_python(uid: int) -> tuple[str, str | None]:
    """A Python that the user `uid` may run, and the path to the packages if it is not the one of this venv."""
    packages = str(Path(shutil.__file__).parent)
    mine = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python, path in (
        (sys.executable, None),
        (f"/usr/bin/python{version}", str(mine)),
        ("/usr/bin/python3", str(mine)),
    ):
        probe = [python, "-c", f"import sys; assert sys.version.startswith('{version}.')"]
        try:
            done = subprocess.run(probe, user=uid, group=uid, extra_groups=[], cwd="/", capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python, path
    pytest.skip(f"an ordinary user can run no Python {version} here ({packages} is private)")


def namespaces_work(uid: int) -> bool:
    """Whether the user `uid` may make user namespaces here."""
    try:
        return (
            subprocess.run(
                ["unshare", "-U", "true"], user=uid, group=uid, extra_groups=[], capture_output=True
            ).returncode
            == 0
        )
    except OSError:
        return False


@pytest.fixture
def root() -> None:
    """Who is not root cannot become somebody else; the other tests then run as the ordinary user that one is."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become an ordinary user")


@pytest.fixture
def ordinary_uid(root: None) -> int:
    """An unprivileged user with an account."""
    return ORDINARY_UID


@pytest.fixture
def unnamed_uid(root: None) -> int:
    """An unprivileged user without one, as containers have them."""
    if not namespaces_work(UNNAMED_UID):
        pytest.skip("user namespaces are denied to ordinary users here")
    return UNNAMED_UID
