"""Issue 2 point 10: what `make run` and `make demo` do, over stand-ins for the programs and real everything else."""

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cofounder_server.machine import ports

pytestmark = pytest.mark.integration

Eventually = Callable[..., Awaitable[None]]
READY = re.compile(r"ready http://127\.0\.0\.1:(\d+) grpc 127\.0\.0\.1:(\d+)")
# With stores of one's own no engine is started; the stand-ins never connect.
OWN_STORES = {"DATABASE_URL": "postgresql://db.invalid/x", "REDIS_URL": "redis://redis.invalid"}


class Run:
    """One stack as a process, and what its programs noted."""

    def __init__(self, scripts: Any, folder: Path) -> None:
        self._scripts = scripts
        self.data = folder / "data"
        self.record = folder / "record"
        self.port = ports.choose(20_000 + os.getpid() % 20_000).number
        self.grpc_port = ports.choose(self.port + 200).number

    async def start(self, mode: str = "run", *, sample: str = "no", **env: str) -> asyncio.subprocess.Process:
        clean = {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": "", "FAKE_RECORD": str(self.record), **env}
        self.process = await self._scripts.start(
            "stack_script.py", mode, self.data, self.port, self.grpc_port, sample, env=clean
        )
        return self.process

    async def ready(self) -> tuple[int, int]:
        line = (await asyncio.wait_for(self.process.stdout.readline(), 60)).decode()
        match = READY.fullmatch(line.strip())
        assert match, line + (await self.process.stderr.read()).decode()
        return int(match[1]), int(match[2])

    async def end(self) -> tuple[int, str, str]:
        """Waits for the end: exit code, the rest of stdout, stderr."""
        out, err = await asyncio.wait_for(self.process.communicate(), 60)
        return self.process.returncode, out.decode(), err.decode()

    def notes(self, event: str = "started") -> list[dict[str, Any]]:
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def names(self, event: str = "started") -> list[str]:
        return [line["name"] for line in self.notes(event)]

    def of(self, name: str) -> dict[str, Any]:
        return next(line for line in self.notes() if line["name"] == name)


@pytest.fixture
def run(scripts: Any, tmp_path: Path) -> Run:
    return Run(scripts, tmp_path)


async def test_run_says_ready_with_the_real_ports_serves_and_stops_by_ctrl_c(run: Run, gone: Any) -> None:
    """Prints `ready http://127.0.0.1:8080 grpc 127.0.0.1:50051`, serves until Ctrl-C, leaves nothing running."""
    await run.start()
    assert await run.ready() == (run.port, run.grpc_port)
    assert set(run.names()) == {"keys", "migrate", "rehearsal-model", "serve", "work", "gateway"}
    assert run.names().index("migrate") < min(run.names().index(name) for name in ("serve", "work", "gateway"))
    assert run.of("serve")["env"]["DATABASE_URL"].startswith("postgresql://cofounder:")
    assert run.of("work")["env"]["REDIS_URL"].startswith("unix://")
    run.process.send_signal(signal.SIGINT)
    code, out, _ = await run.end()
    assert (code, out) == (0, "")
    assert run.names("asked to end") == ["gateway", "work", "serve", "rehearsal-model"]
    await gone([line["pid"] for line in run.notes()])
    assert "database system is shut down" in (run.data / "logs" / "postgres.log").read_text()


async def test_a_second_start_finds_everything_and_sigterm_stops_it_too(run: Run) -> None:
    """State lives in one data folder and survives restarts."""
    for _ in range(2):
        await run.start()
        await run.ready()
        run.process.terminate()
        assert (await run.end())[0] == 0


async def test_the_sample_build_runs_in_the_terminal_and_serving_goes_on(run: Run, eventually: Eventually) -> None:
    """Starts a sample build in the terminal unless COFOUNDER_SAMPLE=0."""
    await run.start(sample="yes", FAKE_CLI_EXIT="0", **OWN_STORES)
    await run.ready()
    line = await asyncio.wait_for(run.process.stdout.readline(), 60)
    assert line == b"building A URL shortener with tests\n"
    said = await asyncio.wait_for(run.process.stderr.readuntil(b"serving until Ctrl-C"), 60)
    assert b"the sample build is over (exit code 0); still ready http://127.0.0.1:" in said
    assert run.of("cli")["env"]["COFOUNDER_GRPC"] == f"127.0.0.1:{run.grpc_port}"
    assert run.of("cli")["env"]["COFOUNDER_TOKEN_FILE"] == str(run.data / "keys" / "me.token")
    run.process.send_signal(signal.SIGINT)
    assert (await run.end())[0] == 0


async def test_ctrl_c_also_ends_the_build_in_the_foreground(run: Run, eventually: Eventually, gone: Any) -> None:
    await run.start(sample="yes", **OWN_STORES)
    await run.ready()
    await eventually(lambda: "cli" in run.names())
    run.process.send_signal(signal.SIGINT)
    assert (await run.end())[0] == 0
    assert run.names("asked to end")[0] == "cli"
    await gone([line["pid"] for line in run.notes()])


@pytest.mark.parametrize("code", [0, 10])
async def test_demo_is_one_build_whose_outcome_is_the_exit_code(run: Run, gone: Any, code: int) -> None:
    """`make demo IDEA="…"`: headless, one build streamed to the terminal, exit code = outcome."""
    await run.start("demo", FAKE_CLI_EXIT=str(code), **OWN_STORES)
    assert (await run.end())[:2] == (code, "building A tiny idea\n")
    await gone([line["pid"] for line in run.notes()])


async def test_a_demo_that_is_interrupted_says_so_by_its_exit_code(run: Run, eventually: Eventually) -> None:
    await run.start("demo", **OWN_STORES)
    await eventually(lambda: "cli" in run.names())
    run.process.send_signal(signal.SIGINT)
    assert (await run.end())[0] == 128 + signal.SIGINT


async def test_a_second_ctrl_c_stops_at_once(run: Run, eventually: Eventually, gone: Any) -> None:
    """Ctrl-C once is a clean stop; twice is at once: nobody else is asked politely any more."""
    await run.start(FAKE_DEAF="gateway", **OWN_STORES)
    await run.ready()
    run.process.send_signal(signal.SIGINT)
    await eventually(lambda: run.names("asked to end") == ["gateway"])
    run.process.send_signal(signal.SIGINT)
    code, _, err = await run.end()
    assert code == 0
    assert "once more to stop at once" in err
    assert run.names("asked to end") == ["gateway"]
    await gone([line["pid"] for line in run.notes()])


async def test_ctrl_c_while_starting_stops_what_was_started(run: Run, eventually: Eventually, gone: Any) -> None:
    await run.start()
    await eventually(lambda: "migrate" in run.names())
    run.process.send_signal(signal.SIGINT)
    assert (await run.end())[0] == 0
    await gone([line["pid"] for line in run.notes()])
    assert "database system is shut down" in (run.data / "logs" / "postgres.log").read_text()


async def test_a_second_run_over_the_same_folder_is_refused(run: Run, scripts: Any, tmp_path: Path) -> None:
    """A second `run` over the same data folder gets a clear error and disturbs nobody."""
    await run.start(**OWN_STORES)
    await run.ready()
    second = Run(scripts, tmp_path)
    await second.start(**OWN_STORES)
    code, out, err = await second.end()
    assert (code, out) == (1, "")
    assert f"Process {run.process.pid} is already using the data folder {run.data}" in err
    assert "COFOUNDER_DATA" in err
    run.process.terminate()
    assert (await run.end())[0] == 0


async def test_a_taken_port_is_moved_and_said(run: Run) -> None:
    """PORT, GRPC_PORT: a taken port is moved, and said."""
    with socket.create_server(("127.0.0.1", run.port)), socket.create_server(("127.0.0.1", run.grpc_port)):
        await run.start(**OWN_STORES)
        port, grpc_port = await run.ready()
        assert port > run.port
        assert grpc_port > run.grpc_port
        run.process.terminate()
        err = (await run.end())[2]
    assert f"port {run.port} (PORT) is taken, using {port} instead" in err
    assert f"port {run.grpc_port} (GRPC_PORT) is taken, using {grpc_port} instead" in err


async def test_kill_9_of_the_stack_leaves_nothing_and_the_next_run_takes_over(run: Run, gone: Any) -> None:
    """Nothing left running when the parent dies; the next run waits for it and starts on the same ports."""
    await run.start()
    await run.ready()
    run.process.kill()
    await run.process.wait()
    first = [line["pid"] for line in run.notes()]
    await run.start()
    assert await run.ready() == (run.port, run.grpc_port)
    await gone(first)
    run.process.terminate()
    assert (await run.end())[0] == 0


async def test_a_run_waits_for_a_program_that_a_killed_run_left_behind(run: Run, eventually: Eventually) -> None:
    """Two generations of programs never work side by side: each program holds the data folder until it ends."""
    await run.start(FAKE_DEAF="gateway", **OWN_STORES)
    await run.ready()
    run.process.kill()
    await run.process.wait()
    await eventually(lambda: "gateway" in run.names("asked to end"))
    await run.start(**OWN_STORES)
    await asyncio.wait_for(run.process.stderr.readuntil(b"waiting for what an earlier run left behind"), 60)
    os.kill(run.of("gateway")["pid"], signal.SIGKILL)
    assert await run.ready() == (run.port, run.grpc_port)
    run.process.terminate()
    assert (await run.end())[0] == 0


async def test_a_key_for_the_model_reaches_the_worker_only(run: Run) -> None:
    """ANTHROPIC_API_KEY only to the worker; with it there is no rehearsal."""
    await run.start(ANTHROPIC_API_KEY="sk-test", ANTHROPIC_AUTH_TOKEN="at-test", **OWN_STORES)
    await run.ready()
    run.process.terminate()
    err = (await run.end())[2]
    assert set(run.names()) == {"keys", "migrate", "serve", "work", "gateway"}
    for line in run.notes():
        values = set(line["env"].values())
        assert ("sk-test" in values) == ("at-test" in values) == (line["name"] == "work")
        assert "COFOUNDER_REHEARSAL" not in line["env"]
    assert "rehearsal" not in err


async def test_without_a_key_the_words_are_rehearsed_and_that_is_said(run: Run) -> None:
    """Without a key the model's words are scripted, and the terminal says so."""
    await run.start(**OWN_STORES)
    await run.ready()
    run.process.terminate()
    err = (await run.end())[2]
    worker, model = run.of("work")["env"], run.of("rehearsal-model")["env"]
    assert worker["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{model['COFOUNDER_REHEARSAL_PORT']}"
    assert worker["ANTHROPIC_API_KEY"] == "rehearsal"
    assert worker["COFOUNDER_REHEARSAL"] == run.of("serve")["env"]["COFOUNDER_REHEARSAL"] == "1"
    assert "This is a rehearsal" in err


async def test_each_program_knows_what_it_needs_and_no_more(run: Run) -> None:
    await run.start(**OWN_STORES)
    await run.ready()
    run.process.terminate()
    await run.end()
    server, gateway = run.of("serve")["env"], run.of("gateway")["env"]
    assert server["GRPC_PORT"] == str(run.grpc_port)
    assert server["COFOUNDER_KEY_FILE"] == str(run.data / "keys" / "development.pem")
    assert server["COFOUNDER_DATA"] == str(run.data)
    assert OWN_STORES.items() <= server.items()
    assert gateway["PORT"] == str(run.port)
    assert gateway["COFOUNDER_SERVER"] == f"127.0.0.1:{run.grpc_port}"
    assert gateway["COFOUNDER_SERVICE_TOKEN_FILE"] == str(run.data / "keys" / "gateway.token")
    assert not OWN_STORES.keys() & gateway.keys()
    assert run.of("keys")["argv"] == ["keys", "--data", str(run.data)]


@pytest.mark.parametrize("broken", ["keys", "migrate", "serve", "work"])
async def test_a_program_that_fails_ends_the_run_with_its_last_lines(run: Run, gone: Any, broken: str) -> None:
    """Errors say what happened: the reason is on the terminal, the exit code is 1, nothing is left."""
    await run.start(FAKE_BROKEN=broken, **OWN_STORES)
    code, _, err = await run.end()
    assert code == 1
    assert f"{broken} cannot find the moon" in err
    assert f"{run.data}/logs/" in err
    await gone([line["pid"] for line in run.notes()])


async def test_a_program_that_is_killed_comes_back(run: Run, eventually: Eventually) -> None:
    await run.start(**OWN_STORES)
    await run.ready()
    os.kill(run.of("serve")["pid"], signal.SIGKILL)
    await eventually(lambda: run.names().count("serve") == 2)
    run.process.terminate()
    code, _, err = await run.end()
    assert code == 0
    assert "server ended (SIGKILL); starting it again" in err
