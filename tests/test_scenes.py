"""Whole scenes with the product as a newcomer starts it: real engines, processes, sockets, sandbox and git."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cofounder_testkit import checker, scenes, watch
from cofounder_testkit.stack import free_port, running

pytestmark = pytest.mark.integration


async def test_five_ways_to_watch_one_build_see_the_same_bytes(tmp_path):
    """By CLI, late by another, by a websocket that is cut three times, by gRPC, and by a foreign client."""
    records = await scenes.watchers(tmp_path / "data", print, pace=0.002, seed=7)
    assert [record.cuts for record in records if record.watcher == "websocket"] == [3]
    assert records[0].decoded()[-1].HasField("build_succeeded")


async def test_worker_server_and_gateway_may_die_in_mid_build(tmp_path):
    records = await scenes.kills(tmp_path / "data", print, pace=0.008)
    events = records[0].decoded()
    assert sum(event.HasField("attempt_started") for event in events) == 2
    assert events[-1].HasField("build_succeeded")


async def test_two_servers_two_gateways_and_two_workers_behave_as_one(tmp_path):
    """Nothing lives only in a process: builds started at one server are watched at the other, by any gateway."""
    async with running(tmp_path / "data", COFOUNDER_REHEARSAL_PACE="0.006", COFOUNDER_WORKER_SLOTS="1") as stack:
        grpc_port, port = free_port(), free_port()
        others = [
            spawn(stack, "cofounder_server work"),
            spawn(stack, "cofounder_server serve", GRPC_PORT=str(grpc_port)),
            spawn(stack, "cofounder_gateway", PORT=str(port), COFOUNDER_SERVER=f"127.0.0.1:{grpc_port}"),
        ]
        second = type(stack)(stack.data, port, grpc_port, stack.process)
        try:
            builds = await asyncio.gather(*(scenes.start_build(stack) for _ in range(2)))
            watching = [
                way(place, build_id)
                for build_id in builds
                for place in (stack, second)
                for way in (watch.over_grpc, watch.over_websocket)
            ]
            records = await watch.together(*watching)
        finally:
            for process in others:
                process.terminate()
                process.wait()
    for at in (0, 4):
        checker.check_all(records[at : at + 4])
    workers = {
        event.attempt_started.worker_id
        for record in records
        for event in record.decoded()
        if event.HasField("attempt_started")
    }
    assert len(workers) == 2, "both workers took a build"


def spawn(stack, program: str, **settings: str) -> subprocess.Popen[bytes]:
    """Starts another process of a program, with the settings of the one that runs."""
    environment = (Path("/proc") / str(stack.pid_of(program)) / "environ").read_bytes().decode().split("\0")
    known = dict(entry.partition("=")[::2] for entry in environment if entry)
    return subprocess.Popen(
        [sys.executable, "-m", *program.split()], env={**known, **settings}, stderr=subprocess.DEVNULL
    )


def test_make_demo_ends_as_its_build_does_and_leaves_nothing_running(tmp_path):
    """Exit code, repository, commit; and the project's tests pass when run by hand."""
    environment = {
        **os.environ,
        "COFOUNDER_DATA": str(tmp_path / "data"),
        "PORT": str(free_port()),
        "GRPC_PORT": str(free_port()),
        "COFOUNDER_REHEARSAL_PACE": "0",
    }
    command = [sys.executable, "-m", "cofounder_server", "demo", "A URL shortener with tests"]
    demo = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert demo.returncode == 0, demo.stderr
    said = dict(line.split(maxsplit=1) for line in demo.stdout.splitlines() if len(line.split()) > 1)
    repository = Path(said["repository"].strip())
    head = subprocess.run(["git", "log", "-1", "--format=%H"], cwd=repository, capture_output=True, text=True)
    assert head.stdout.strip() == said["commit"].strip()
    tests = subprocess.run([sys.executable, "-m", "unittest"], cwd=repository, capture_output=True, text=True)
    assert tests.returncode == 0, tests.stderr
    assert "was not read" in demo.stdout
    assert not processes_of(tmp_path), "nothing is left running"


async def test_nothing_is_left_running_when_the_stack_is_killed(tmp_path):
    async with running(tmp_path / "data") as stack:
        os.kill(stack.process.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while processes_of(tmp_path):
                await asyncio.sleep(0.05)


def processes_of(folder: Path) -> list[str]:
    """Returns the command lines of processes whose environment or arguments name a folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder / "data").encode() in known:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
