"""Design §5.12: which sandbox is chosen, what is refused, and the weak one: limits and an end, but no walls."""

import os
import secrets
import sys
from pathlib import Path

import pytest

from cofounder_server.agent import sandbox
from cofounder_server.agent.sandbox import Exit, Limits
from cofounder_server.testing.programs import DAEMON, DEADLINE, processes_with, python, run


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


async def test_a_bubblewrap_that_fails_is_unavailable_and_not_an_end(workspace: Path) -> None:
    broken = sandbox.Bubblewrap("/no/such/bwrap")
    with pytest.raises(sandbox.SandboxUnavailable):
        await run(broken, workspace, "true")
    for program in ("/bin/false", "/bin/true"):
        for host_id in (None, 61_000) if os.geteuid() == 0 else (None,):
            with pytest.raises(sandbox.SandboxUnavailable):
                await run(sandbox.Bubblewrap(program, host_id=host_id), workspace, "true")


async def test_the_probe_says_none_and_why_where_bubblewrap_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_programs", lambda: ["/bin/false"])
    isolation = await sandbox.probe()
    assert isolation.kind == "none"
    assert "bubblewrap failed" in isolation.reason
    monkeypatch.setattr(sandbox, "_programs", list)
    assert "not installed" in (await sandbox.probe()).reason


async def test_the_probe_is_not_satisfied_by_a_sandbox_that_confines_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The guard of the guard: the same attempt under the weak sandbox must be found out."""
    monkeypatch.setattr(sandbox, "_programs", lambda: ["anything"])
    monkeypatch.setattr(sandbox, "Bubblewrap", lambda program, *, host_id: sandbox.Weak())
    isolation = await sandbox.probe()
    assert isolation.kind == "none"
    assert "the network" in isolation.reason
    assert "the files of the host" in isolation.reason


NAMESPACES = sandbox.Isolation("namespaces", "", "/usr/bin/bwrap", 61_000)
NONE = sandbox.Isolation("none", "user namespaces are denied")


@pytest.mark.parametrize(
    ("isolation", "rehearsal", "allow_weak", "production", "chosen"),
    [
        (NAMESPACES, False, False, True, sandbox.Bubblewrap),
        (NAMESPACES, True, True, False, sandbox.Bubblewrap),
        (NONE, True, False, False, sandbox.Weak),
        (NONE, False, True, False, sandbox.Weak),
    ],
)
def test_design_5_12_the_real_sandbox_where_it_works_else_the_weak_one_for_a_rehearsal_or_on_the_operators_word(
    isolation: sandbox.Isolation, rehearsal: bool, allow_weak: bool, production: bool, chosen: type
) -> None:
    got = sandbox.choose(isolation, rehearsal=rehearsal, allow_weak=allow_weak, production=production)
    assert type(got) is chosen


@pytest.mark.parametrize(
    ("rehearsal", "allow_weak", "production"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_design_5_12_without_isolation_model_written_code_and_production_are_refused_with_the_reason(
    rehearsal: bool, allow_weak: bool, production: bool
) -> None:
    with pytest.raises(sandbox.SandboxUnavailable, match="user namespaces are denied"):
        sandbox.choose(NONE, rehearsal=rehearsal, allow_weak=allow_weak, production=production)


async def test_the_weak_sandbox_says_so_and_keeps_our_environment_out(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COFOUNDER_CANARY", "canary")
    weak = sandbox.Weak()
    assert "WEAK" in weak.name
    ran = await python(weak, workspace, "import os; print(os.getcwd(), 'COFOUNDER_CANARY' in os.environ)")
    assert (ran.exit.code, ran.stdout) == (0, f"{workspace} False\n")


async def test_the_weak_sandbox_ends_at_its_limits_with_the_reason(workspace: Path) -> None:
    weak = sandbox.Weak()
    limits = Limits(wall_clock=0.5, output_bytes=1_000, output_tail_bytes=100, output_kill_bytes=10_000)
    assert (await run(weak, workspace, "sleep", "1000", limits=limits)).exit == Exit(137, 9, "wall_clock")
    assert (await run(weak, workspace, "yes", limits=limits)).exit.reason == "output_limit"
    assert (await run(weak, workspace, "no-such-program")).exit.code == 127
    assert "MemoryError" in (await python(weak, workspace, "bytearray(64 << 30)")).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="processes can be found on Linux only")
async def test_where_the_kernel_does_not_count_processes_the_watch_does(workspace: Path) -> None:
    code = "import os, time\nfor _ in range(30): os.fork() or time.sleep(1000)\ntime.sleep(1000)"
    ran = await python(sandbox.Weak(), workspace, code, limits=Limits(processes=5, wall_clock=DEADLINE))
    assert ran.exit == Exit(137, 9, "processes")


@pytest.mark.skipif(sys.platform != "linux", reason="the mark of a run can be read on Linux only")
async def test_the_weak_sandbox_leaves_no_daemon(workspace: Path) -> None:
    mark = secrets.token_hex(8)
    ran = await python(sandbox.Weak(), workspace, DAEMON, mark)
    assert (ran.exit, ran.stdout) == (Exit(0, None, "exited"), "ready\n")
    assert processes_with(mark) == []
