"""D-9 and example 133: what a program in the sandbox cannot use up, and the reason that its end gives."""

import asyncio
import secrets
from pathlib import Path

import pytest

from cofounder_server.agent import sandbox
from cofounder_server.agent.sandbox import Exit, Limits
from cofounder_server.testing.programs import DAEMON, DEADLINE, processes_with, python, run

MIB = 1024 * 1024

ISOLATION = asyncio.run(sandbox.probe())
# That it let something out is no property of the machine, and no reason to skip.
assert "the probe reached" not in ISOLATION.reason, ISOLATION.reason
if ISOLATION.program is None:
    pytest.skip(f"programs cannot be isolated here: {ISOLATION.reason}", allow_module_level=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def box() -> sandbox.Sandbox:
    """The real sandbox as this machine has it: as root with an unused user, else with our own."""
    assert ISOLATION.program
    return sandbox.Bubblewrap(ISOLATION.program, host_id=ISOLATION.host_id)


async def test_example_133_a_fork_bomb_is_held_and_nothing_is_left(box: sandbox.Sandbox, workspace: Path) -> None:
    mark = secrets.token_hex(8)
    ran = await python(
        box,
        workspace,
        """
        import os, sys, time
        refused = 0
        for n in range(500):
            try:
                if os.fork() == 0:
                    time.sleep(1000)
            except OSError:
                refused += 1
        print("children", 500 - refused)
        """,
        mark,
        limits=Limits(processes=20, wall_clock=DEADLINE),
    )
    assert ran.exit.reason == "exited"
    assert int(ran.stdout.split()[1]) < 20
    assert processes_with(mark) == []


async def test_d9_the_kernel_counts_the_processes_of_each_run(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await run(
        box, workspace, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done", limits=Limits(processes=4)
    )
    assert ran.exit.code != 0
    assert "fork" in ran.stderr


async def test_example_133_64_gib_are_not_to_be_had(box: sandbox.Sandbox, workspace: Path) -> None:
    for size, limits in ((64 << 30, Limits()), (300 * MIB, Limits(address_space=256 * MIB))):
        ran = await python(box, workspace, f"bytearray({size})", limits=limits)
        assert ran.exit == Exit(1, None, "exited")
        assert "MemoryError" in ran.stderr


async def test_example_133_memory_in_many_processes_ends_by_name(box: sandbox.Sandbox, workspace: Path) -> None:
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                held = b"x" * (32 << 20)
                time.sleep(1000)
        time.sleep(1000)
        """
    ran = await python(box, workspace, code, limits=Limits(memory=100 * MIB, wall_clock=DEADLINE))
    assert ran.exit == Exit(137, 9, "memory")


@pytest.mark.parametrize("folder", ["/dev/shm", "/tmp"])
async def test_example_133_scratch_folders_are_small(box: sandbox.Sandbox, workspace: Path, folder: str) -> None:
    code = f"""
        for n in range(100):
            open(f"{folder}/{{n}}", "wb").write(b"x" * (1 << 20))
        """
    ran = await python(box, workspace, code, limits=Limits(scratch_bytes=4 * MIB))
    assert ran.exit.code == 1
    assert "No space left" in ran.stderr


async def test_example_133_a_file_cannot_grow_without_end(box: sandbox.Sandbox, workspace: Path) -> None:
    limits = Limits(file_bytes=MIB)
    assert (await run(box, workspace, "sh", "-c", "yes > f", limits=limits)).exit.code != 0
    assert (workspace / "f").stat().st_size <= MIB
    assert (await python(box, workspace, "open('g', 'wb').truncate(1 << 40)", limits=limits)).exit.code == 1


async def test_example_133_many_files_end_by_name(box: sandbox.Sandbox, workspace: Path) -> None:
    code = "for n in range(10**6): open(f'{n}', 'w').close()"
    ran = await python(box, workspace, code, limits=Limits(disk_files=1_000, wall_clock=DEADLINE))
    assert ran.exit == Exit(137, 9, "disk")


async def test_example_133_many_bytes_end_by_name(box: sandbox.Sandbox, workspace: Path) -> None:
    code = """
        import time
        for n in range(8):
            open(f"{n}", "wb").write(b"x" * (1 << 20))
        time.sleep(1000)
        """
    ran = await python(box, workspace, code, limits=Limits(disk_bytes=4 * MIB, wall_clock=DEADLINE))
    assert ran.exit == Exit(137, 9, "disk")


async def test_example_133_descriptors_run_out_inside(box: sandbox.Sandbox, workspace: Path) -> None:
    code = "import os\nwhile True: print(os.dup(0), flush=True)"
    ran = await python(box, workspace, code, limits=Limits(open_files=64))
    assert ran.exit.code == 1
    assert "Too many open files" in ran.stderr
    assert int(ran.stdout.split()[-1]) == 63


async def test_example_133_processor_time_ends_by_its_signal(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await python(box, workspace, "while True: pass", limits=Limits(cpu=1, wall_clock=DEADLINE))
    assert ran.exit == Exit(152, 24, "exited")


async def test_endless_output_ends_by_name_and_its_tail_is_kept(box: sandbox.Sandbox, workspace: Path) -> None:
    limits = Limits(output_bytes=10_000, output_tail_bytes=1_000, output_kill_bytes=100_000, wall_clock=DEADLINE)
    ran = await run(box, workspace, "yes", limits=limits)
    assert ran.exit.reason == "output_limit"
    assert len(ran.stdout) == 10_000
    assert ran.exit.omitted_bytes > 0


async def test_long_output_loses_its_middle_and_the_program_ends_by_itself(
    box: sandbox.Sandbox, workspace: Path
) -> None:
    code = "import sys; print('first'); print('é' * 50_000); print('last')"
    ran = await python(box, workspace, code, limits=Limits(output_bytes=10_000, output_tail_bytes=1_000))
    assert ran.exit == Exit(0, None, "exited", len("first\nlast\n") + 2 * 50_000 + 1 - 10_000)
    assert ran.stdout.startswith("first\né")
    assert ran.stdout.endswith("é\nlast\n")
    assert f"{ran.exit.omitted_bytes} bytes of output left out" in ran.stderr


async def test_example_133_who_ignores_sigterm_ends_at_the_wall_clock(box: sandbox.Sandbox, workspace: Path) -> None:
    mark = secrets.token_hex(8)
    script = "trap '' TERM INT HUP; echo ready; while true; do sleep 1; done"
    ran = await run(box, workspace, "sh", "-c", script, mark, limits=Limits(wall_clock=0.5))
    assert ran.exit == Exit(137, 9, "wall_clock")
    assert processes_with(mark) == []


async def test_example_133_a_daemon_does_not_outlive_its_program(box: sandbox.Sandbox, workspace: Path) -> None:
    mark = secrets.token_hex(8)
    ran = await python(box, workspace, DAEMON, mark)
    assert (ran.exit, ran.stdout) == (Exit(0, None, "exited"), "ready\n")
    assert processes_with(mark) == []
