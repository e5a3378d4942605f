"""The executor: what it runs, what it shows of it, and what it makes of it."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from cofounder.runner.v1.event_work_pb2 import CommandFinished
from cofounder_server.agent import sandbox
from cofounder_server.agent.nodes import executor, unittests
from cofounder_server.agent.sandbox_seam import Exit, Output, Sandbox
from cofounder_server.testing import agents
from cofounder_server.testing.agents import CALLER, ORDER, Played
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.cast import PASSING, Cast, file, project

Play = Callable[..., Awaitable[Played]]
SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"


async def test_a_project_without_tests_has_something_to_repair(play: Play) -> None:
    played = await play(Cast(coder=[file("app.py", "x = 1\n"), project()]))
    assert played.stages[2:4] == ["executor", "debugger"]
    assert played.kinds[-1] == "build_succeeded"


async def test_a_project_without_python_is_committed_untested_and_says_so(play: Play) -> None:
    played = await play(Cast(coder=[file("index.html", "<h1>Hi</h1>\n")]))
    assert played.warnings == ["not_tested"]
    assert "No tests were run" in played.of("commit_created")[0].message


async def test_tests_that_exit_the_interpreter_are_a_failure(play: Play) -> None:
    """Exit 0 alone is no success: some test must have run."""
    for content in ("import os\nos._exit(0)\n", "import sys\nsys.exit(3)\n", "def broken(:\n", "x = 1\n"):
        played = await play(Cast(coder=[project(content)]), iterations=1)
        assert played.kinds[-1] == "build_partial", content
        assert played.events[-1].build_partial.failures


async def test_too_much_output_is_cut_in_the_middle_and_said(play: Play) -> None:
    """C-9: output is capped with its end kept."""
    noisy = "for number in range(60_000):\n    print('line', number)\n" + PASSING
    played = await play(Cast(coder=[project(noisy)]))
    output = "".join(event.text for event in played.of("command_output"))
    assert len(output) < 400_000
    assert "line 59999" in output
    assert "output_cut" in played.warnings
    assert played.of("test_reported")[0].passed == 1
    assert max(event.ByteSize() for event in played.events) < 256 * 1024


async def test_a_test_that_never_ends_is_ended(hands: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "LIMITS", sandbox.Limits(wall_clock=1.0))
    cast = Cast(coder=[project(SLEEPS)])
    async with (
        AnthropicWire(choose=cast) as wire,
        agents.runner(wire.base_url, tmp_path, hands, iterations=1) as runner,
    ):
        played = await agents.gather(runner.run(CALLER, ORDER))
    [finished] = played.of("command_finished")
    assert finished.reason == CommandFinished.REASON_WALL_CLOCK
    assert "ran too long" in played.events[-1].build_partial.failures[0]


async def test_pieces_of_a_line_are_joined_and_whole_lines_are_not_kept_waiting() -> None:
    """Coalesced, in order, and complete."""
    released = asyncio.Event()

    async def parts() -> AsyncGenerator[Output | Exit, None]:
        yield Output("stdout", "one ")
        yield Output("stdout", "line\n")
        yield Output("stdout", "pro")
        yield Output("stderr", "err")
        yield Output("stdout", "gress")
        await released.wait()
        yield Exit(0, None, "exited")

    told = []
    async for part in executor._joined(parts()):
        told.append(part)
        if part == Output("stdout", "gress"):
            released.set()  # shown although its line has not ended
    assert told == [
        Output("stdout", "one line\n"),
        Output("stdout", "pro"),
        Output("stderr", "err"),
        Output("stdout", "gress"),
        Exit(0, None, "exited"),
    ]


RUNS = [
    ("", (0, 0, 0)),
    ("Traceback (most recent call last):\nSystemExit: 3\n", (0, 0, 0)),
    ("Ran 0 tests in 0.000s\n\nOK\n", (0, 0, 0)),
    ("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", (0, 0, 0)),
    ("Ran 1 test in 0.000s\n\nOK\n", (1, 0, 0)),
    ("Ran 5 tests in 0.1s\n\nOK (skipped=2)\n", (3, 0, 2)),
    ("Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n", (5, 3, 1)),
    ("Ran 4 tests in 0.1s\n\nFAILED (failures=1, expected failures=1, unexpected successes=1)\n", (2, 2, 0)),
    ("Ran 0 tests in 0.1s\n\nFAILED (errors=1)\n", (0, 1, 0)),
    ("Ran 7 tests in 1s\nOK\nRan 2 tests in 0.1s\n\nOK\n", (2, 0, 0)),
]


@pytest.mark.parametrize(("output", "counts"), RUNS)
def test_the_count_is_the_one_that_the_run_ends_with(output: str, counts: tuple[int, int, int]) -> None:
    report = unittests.read(output)
    assert (report.passed, report.failed, report.skipped) == counts


def test_failures_are_read_from_a_real_run(tmp_path: Path) -> None:
    (tmp_path / "test_many.py").write_text(
        "import unittest\n\n\nclass T(unittest.TestCase):\n"
        '    def test_a(self):\n        """With words."""\n        self.assertEqual("x" * 3000, "y")\n'
        "    def test_b(self):\n        with self.subTest(n=1):\n            raise ValueError('v: w')\n"
        "    def test_c(self):\n        raise OSError\n"
        "    @unittest.skip('no')\n    def test_d(self): ...\n"
    )
    argv = ["python3", "-m", "unittest", "discover", "-v"]
    output = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60).stderr
    report = unittests.read(output)
    assert (report.passed, report.failed, report.skipped) == (0, 3, 1)
    read = {failure.name: failure for failure in report.failures}
    assert (read["test_b"].type, read["test_b"].message) == ("ValueError", "v: w")
    assert read["test_c"].type == "OSError"
    assert read["test_a"].type == "AssertionError"
    assert all(len(failure.text.encode()) <= 1024 for failure in report.failures)
    assert read["test_b"].file.endswith("test_many.py")


@pytest.mark.parametrize(
    ("paths", "start"),
    [
        (["tests/__init__.py", "tests/test_a.py"], []),
        (["test_a.py", "a.py"], []),
        (["tests/test_a.py", "a.py"], ["-s", "tests"]),
        (["src/tests/__init__.py", "src/tests/test_a.py"], ["-s", "src/tests"]),
    ],
)
def test_tests_are_looked_for_where_they_are(paths: list[str], start: list[str]) -> None:
    assert executor._start([path for path in paths if executor._is_test(path)], paths) == start
