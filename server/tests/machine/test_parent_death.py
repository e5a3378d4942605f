"""Issue 2 point 2: nothing is left running when the parent dies, as whomever it ran."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cofounder_server.machine import process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

Gone = Callable[[list[int]], Awaitable[None]]


async def pids_of(parent: asyncio.subprocess.Process) -> list[int]:
    assert parent.stdout is not None
    assert parent.stderr is not None
    line = await asyncio.wait_for(parent.stdout.readline(), 60)
    assert line, (await parent.stderr.read()).decode()
    return list(json.loads(line).values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
async def test_kill_9_of_the_parent_leaves_no_engine_running(data: Path, scripts: Any, gone: Gone) -> None:
    """Nothing left running when the parent dies, Postgres shut down cleanly, and the next start has the rows."""
    parent = await scripts.start("engines_script.py", data)
    pids = await pids_of(parent)
    parent.kill()
    await gone(pids)
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
async def test_a_start_right_after_kill_9_of_the_parent_waits_for_what_it_left(data: Path, scripts: Any) -> None:
    """The engines of a killed run are waited for, never joined: no sentence about a second instance."""
    parent = await scripts.start("engines_script.py", data)
    await pids_of(parent)
    parent.kill()
    await parent.wait()
    async with EmbeddedPostgres(data) as engine:
        connection = await asyncpg.connect(engine.dsn)
        assert await connection.fetchval("select count(*) from seen") == 1
        await connection.close()


async def test_an_ordinary_user_runs_engines_and_leaves_nothing(
    reachable: Path, scripts: Any, gone: Gone, ordinary_uid: int
) -> None:
    """As root and not as root."""
    os.chown(reachable, ordinary_uid, ordinary_uid)
    parent = await scripts.start("engines_script.py", reachable / "data", uid=ordinary_uid)
    pids = await pids_of(parent)
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {ordinary_uid}
    parent.kill()
    await gone(pids)


async def test_a_user_without_an_account_runs_engines_too(
    reachable: Path, scripts: Any, gone: Gone, unnamed_uid: int
) -> None:
    """As root and not as root: initdb wants a name, and gets one in a user namespace."""
    os.chown(reachable, unnamed_uid, unnamed_uid)
    parent = await scripts.start("engines_script.py", reachable / "data", uid=unnamed_uid)
    pids = await pids_of(parent)
    parent.terminate()
    await gone(pids)
    assert (reachable / "data" / "postgres" / "cluster").stat().st_uid == unnamed_uid


async def test_a_parent_that_died_before_the_signal_was_armed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that died between fork and prctl: the child ends by itself."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    child = await process.spawn(["sleep", "600"], env={})
    monkeypatch.undo()
    assert await asyncio.wait_for(child.wait(), 60) == 1


async def test_a_child_is_never_started_from_a_side_thread() -> None:
    """The kernel's signal follows the forking thread, so the main thread must fork."""

    def in_thread() -> None:
        with pytest.raises(MachineError, match="main thread"):
            asyncio.run(process.spawn(["sleep", "600"], env={}))

    await asyncio.to_thread(in_thread)


async def test_a_child_can_be_interrupted_although_we_were_started_with_ctrl_c_ignored() -> None:
    """A shell that starts us in the background ignores SIGINT for all that follows; our children must not."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = await process.spawn(["sleep", "600"], env={"PATH": "/usr/bin:/bin"})
    finally:
        signal.signal(signal.SIGINT, before)
    child.send(signal.SIGINT)
    assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGINT


async def test_stop_kills_what_ignores_the_signal_and_what_its_leader_left(tmp_path: Path, gone: Gone) -> None:
    """Signal, deadline, then SIGKILL of the group; stopping again only reports."""
    note = tmp_path / "grandchild"
    script = f"trap '' TERM; sleep 600 & echo $! > {note}.new; mv {note}.new {note}; while :; do sleep 600; done"
    child = await process.spawn(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"})
    async with asyncio.timeout(60):
        while not note.exists():
            await asyncio.sleep(0.01)
    assert await child.stop(deadline=0.1) == -signal.SIGKILL
    assert await child.stop(deadline=0.1) == -signal.SIGKILL
    await gone([int(note.read_text())])
