"""Services are kept running, given up loudly, and stopped in reverse order."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cofounder_server.machine import folders, process
from cofounder_server.machine.failure import MachineError
from cofounder_server.machine.programs import Program
from cofounder_server.machine.supervise import Supervisor

pytestmark = pytest.mark.integration

Eventually = Callable[..., Awaitable[None]]
ENV = {"PATH": "/usr/bin:/bin"}
SAY_READY = "echo ready >$COFOUNDER_READY_FIFO"


async def always_ready() -> bool:
    return True


async def never_ready() -> bool:
    return False


def shell(name: str, script: str, folder: Path, *, probe: Callable[[], Awaitable[bool]] = always_ready) -> Program:
    return Program(name, ["sh", "-c", script], env=ENV, log=folder / f"{name}.log", probe=probe, start_deadline=30.0)


def speaking(script: str, folder: Path) -> Program:
    """A program that says itself when it is ready."""
    return Program("worker", ["sh", "-c", script], env=ENV, log=folder / "worker.log", start_deadline=30.0)


async def test_a_program_without_an_address_is_ready_once_it_says_so(tmp_path: Path) -> None:
    said = tmp_path / "said"
    async with speaking(f"touch {said}; {SAY_READY}; exec sleep 600", tmp_path):
        assert said.exists()


async def test_a_program_that_ends_without_having_said_so_was_never_ready(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="ended before it was ready"):
        await speaking("exit 3", tmp_path).start()


async def test_what_a_former_process_said_does_not_count_for_the_next(tmp_path: Path) -> None:
    program = speaking(f"mkdir {tmp_path}/once || exit 3; {SAY_READY}; exec sleep 600", tmp_path)
    await program.start()
    program.kill()
    await program.wait()
    with pytest.raises(MachineError, match="ended before it was ready"):
        await program.start()


async def test_a_crashed_child_is_started_again(tmp_path: Path, eventually: Eventually) -> None:
    said: list[str] = []
    program, supervisor = shell("worker", "exec sleep 600", tmp_path), Supervisor(notice=said.append)
    await supervisor.start(program)
    try:
        first = program.pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: program.pid != first)
        assert process.is_alive(program.pid)
        assert said == ["worker ended (SIGKILL); starting it again"]
    finally:
        await supervisor.stop()
    assert not process.is_alive(program.pid)


async def test_a_child_that_keeps_failing_ends_the_stack_with_its_last_lines(tmp_path: Path) -> None:
    """A service that fails 5 times within 60 s ends the whole stack."""
    said: list[str] = []
    program = shell("worker", "echo cannot find the moon; exit 3", tmp_path)
    supervisor = Supervisor(notice=said.append, first_pause=0.01)
    await supervisor.start(program)
    with pytest.raises(MachineError, match=r"worker failed 5 times(.|\n)*exit code 3(.|\n)*cannot find the moon"):
        await asyncio.wait_for(supervisor.failed(), 60)
    assert len(said) == 4
    assert (tmp_path / "worker.log").read_text() == "cannot find the moon\n" * 5
    await supervisor.stop()


async def test_failures_far_apart_are_not_added_up(tmp_path: Path, eventually: Eventually) -> None:
    """Only failures within the window count."""
    program = shell("worker", "exit 3", tmp_path)
    said: list[str] = []
    supervisor = Supervisor(notice=said.append, window=0.0, first_pause=0.01, longest_pause=0.01)
    await supervisor.start(program)
    await eventually(lambda: len(said) > 10)
    await supervisor.stop()


async def test_services_stop_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    names = ("postgres", "server", "gateway")
    supervisor = Supervisor()
    for name in names:
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; touch {tmp_path}/{name}.up; while :; do sleep 0.01; done"
        up = tmp_path / f"{name}.up"

        async def is_up(up: Path = up) -> bool:
            return up.exists()

        await supervisor.start(shell(name, script, tmp_path, probe=is_up))
    await asyncio.gather(supervisor.stop(), supervisor.stop())
    await supervisor.stop()
    assert order.read_text().split() == ["gateway", "server", "postgres"]


async def test_a_first_start_that_fails_is_an_error_with_the_last_lines_and_ends_its_siblings(tmp_path: Path) -> None:
    good = shell("good", "exec sleep 600", tmp_path, probe=never_ready)
    bad = shell("bad", "echo no such table; exit 1", tmp_path, probe=never_ready)
    supervisor = Supervisor()
    with pytest.raises(MachineError, match=r"bad ended before it was ready(.|\n)*no such table"):
        await supervisor.start(good, bad)
    assert not process.is_alive(good.pid)
    await supervisor.stop()


async def test_a_service_that_is_never_ready_is_said_and_stopped(tmp_path: Path) -> None:
    program = Program(
        "server", ["sleep", "600"], env=ENV, log=tmp_path / "s.log", probe=never_ready, start_deadline=0.05
    )
    with pytest.raises(MachineError, match=r"server was not ready within 0\.05 s"):
        await program.start()
    assert not process.is_alive(program.pid)


async def test_a_stop_while_a_restart_waits_starts_nothing_more(tmp_path: Path, eventually: Eventually) -> None:
    said: list[str] = []
    program = shell("worker", "exit 1", tmp_path)
    supervisor = Supervisor(notice=said.append, first_pause=600.0, longest_pause=600.0)
    await supervisor.start(program)
    await eventually(lambda: bool(said))
    pid = program.pid
    await asyncio.wait_for(supervisor.stop(), 60)
    assert program.pid == pid
    with pytest.raises(MachineError, match="being stopped"):
        await supervisor.start(program)


async def test_a_probe_that_swallows_its_cancellation_does_not_keep_the_stop_waiting(
    tmp_path: Path, eventually: Eventually
) -> None:
    """A client library may end its connecting normally although it was cancelled; stop still ends."""
    probing: list[bool] = []

    async def swallow() -> bool:
        probing.append(True)
        if len(probing) > 1:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return True

    program, supervisor = shell("worker", "exec sleep 600", tmp_path, probe=swallow), Supervisor(first_pause=0.01)
    await supervisor.start(program)
    os.kill(program.pid, signal.SIGKILL)
    await eventually(lambda: len(probing) > 1)
    await asyncio.wait_for(supervisor.stop(), 60)
    assert not process.is_alive(program.pid)


async def test_kill_does_not_wait_for_those_who_ignore_the_polite_signal(tmp_path: Path) -> None:
    up = tmp_path / "up"

    async def is_up() -> bool:
        return up.exists()

    code = (
        f"import signal,pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(up)!r}).touch(); signal.pause()"
    )
    program = Program(
        "deaf", [sys.executable, "-c", code], env=ENV, log=tmp_path / "d.log", probe=is_up, stop_deadline=600.0
    )
    supervisor = Supervisor()
    await supervisor.start(program)
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    supervisor.kill()
    await asyncio.wait_for(stopping, 60)
    assert not process.is_alive(program.pid)


def test_a_log_is_bounded_at_start_and_private(tmp_path: Path) -> None:
    """Each log is moved aside once when it is over its bound."""
    log = tmp_path / "logs" / "worker.log"
    os.close(folders.open_log(log))
    log.write_bytes(b"x" * 5_000_001)
    os.close(folders.open_log(log))
    assert log.stat().st_size == 0
    assert log.with_name("worker.log.1").stat().st_size == 5_000_001
    assert log.stat().st_mode & 0o077 == 0
