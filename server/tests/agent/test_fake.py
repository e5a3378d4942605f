"""The four scenarios: what they tell, and that they always tell it alike."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.rpc import code_pb2

from cofounder.runner.v1.event_lifecycle_pb2 import StageFinished
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import scenarios
from cofounder_server.agent.fake import SCENARIOS, RunnerFake
from cofounder_server.agent.nodes import unittests
from cofounder_server.agent.workspace import Workspace
from cofounder_server.clock import VirtualClock
from cofounder_server.errors import to_status
from cofounder_server.testing import agents
from cofounder_server.testing.agents import CALLER, ORDER, TERMINAL, Played


def run_tests(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60)


async def play(scenario: str, *, pace: float = 0.02) -> Played:
    return await agents.gather(RunnerFake(scenario, clock=VirtualClock(), pace=pace).run(CALLER, ORDER))


def test_the_four_scenarios_have_names() -> None:
    assert SCENARIOS == ("happy_path", "llm_failure", "partial_build", "rate_limited")


def test_an_unknown_name_is_refused_and_the_four_are_named() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        RunnerFake("happy", clock=VirtualClock())
    assert all(name in caught.value.violations["scenario"] for name in SCENARIOS)


async def test_happy_path_has_four_steps_five_files_passing_tests_and_a_commit() -> None:
    played = await play("happy_path")
    [plan] = played.of("plan_proposed")
    assert len(plan.steps) == 4
    assert {path for step in plan.steps for path in step.paths} == {file.path for file in played.of("file_written")}
    assert len(played.of("file_written")) == 5
    [report] = played.of("test_reported")
    assert (report.passed, report.failed) == (2, 0)
    [commit] = played.of("commit_created")
    assert played.events[-1].build_succeeded.commit_sha == commit.sha
    assert [finished.stage for finished in played.of("stage_finished")] == [1, 2, 3, 5, 6]


async def test_partial_build_ends_as_partial_with_one_type_error() -> None:
    played = await play("partial_build")
    [report] = played.of("test_reported")
    assert (report.passed, report.failed) == (1, 1)
    assert "TypeError" in report.failures[0].message
    assert len(played.of("file_written")) == 5
    [failure] = played.events[-1].build_partial.failures
    assert "TypeError" in failure
    executor = played.of("stage_finished")[2]
    assert (executor.stage, executor.outcome) == (Stage.STAGE_EXECUTOR, StageFinished.OUTCOME_NEEDS_WORK)
    assert played.of("commit_created") == []


async def test_llm_failure_fails_every_method_unavailable_retry_after_60_s() -> None:
    runner = RunnerFake("llm_failure", clock=VirtualClock())
    for stream in (runner.run(CALLER, ORDER), runner.step(CALLER, ORDER, Stage.STAGE_ARCHITECT)):
        played = await agents.gather(stream)
        assert isinstance(played.error, errors.ProviderFailed)
        assert (to_status(played.error).code, played.error.retry_after) == (code_pb2.UNAVAILABLE, 60.0)
        assert not set(played.kinds) & set(TERMINAL)


async def test_rate_limited_fails_every_method_exhausted_5_minutes_queue_depth_12() -> None:
    runner = RunnerFake("rate_limited", clock=VirtualClock())
    for stream in (runner.run(CALLER, ORDER), runner.step(CALLER, ORDER, Stage.STAGE_CODER)):
        played = await agents.gather(stream)
        assert isinstance(played.error, errors.ProviderRateLimited)
        assert (to_status(played.error).code, played.error.retry_after) == (code_pb2.RESOURCE_EXHAUSTED, 300.0)
        assert played.error.metadata == {"queueDepth": "12"}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_scenario_played_twice_is_byte_for_byte_the_same(scenario: str) -> None:
    """No randomness, deterministic ids: the first golden streams."""
    first, second = await play(scenario), await play(scenario, pace=3.0)
    assert [event.SerializeToString(deterministic=True) for event in first.events] == [
        event.SerializeToString(deterministic=True) for event in second.events
    ]


@pytest.mark.parametrize("scenario", ["happy_path", "partial_build"])
async def test_exactly_one_terminal_event_ends_a_scenario(scenario: str) -> None:
    """C-5."""
    kinds = (await play(scenario)).kinds
    assert [kind for kind in kinds if kind in TERMINAL] == kinds[-1:]


@pytest.mark.parametrize("scenario", ["happy_path", "partial_build"])
async def test_files_are_what_their_pieces_say_and_run_as_the_script_says(scenario: str, tmp_path: Path) -> None:
    """True sha256; and the printed tests are what these files really do."""
    played = await play(scenario)
    workspace = Workspace(tmp_path)
    for written in played.of("file_written"):
        content = "".join(delta.text for delta in played.of("file_delta") if delta.path == written.path).encode()
        assert (hashlib.sha256(content).digest(), len(content)) == (written.sha256, written.size_bytes)
        workspace.write(written.path, content)
    assert played.of("stage_finished")[1].tree_hash.hex() == workspace.tree_hash()
    argv = [sys.executable, "-m", "unittest", "discover", "-v", "-s", "tests"]
    run = run_tests(argv, tmp_path)
    told = unittests.read("".join(output.text for output in played.of("command_output")))
    really = unittests.read(run.stderr)
    assert (told.passed, told.failed) == (really.passed, really.failed)
    assert [failure.message for failure in told.failures] == [failure.message for failure in really.failures]
    assert run.returncode == played.of("command_finished")[0].exit_code


async def test_text_comes_token_by_token_under_the_clock() -> None:
    clock = VirtualClock()
    begun = clock.now()
    played = await agents.gather(RunnerFake("happy_path", clock=clock, pace=0.5).run(CALLER, ORDER))
    pieces = [delta.text for kind in ("text_delta", "file_delta") for delta in played.of(kind)]
    assert max(map(len, pieces)) < 60
    assert (clock.now() - begun).total_seconds() >= 0.5 * len(pieces)
    spoken = scenarios.ARCHITECT + scenarios.CODER + scenarios.REVIEWER
    assert played.text() == spoken


async def test_a_step_is_the_part_of_the_script_and_others_are_refused_by_name() -> None:
    """Domain, Runner 2: anything else is an error that names the valid ones."""
    runner = RunnerFake("happy_path", clock=VirtualClock())
    step = await agents.gather(runner.step(CALLER, ORDER, Stage.STAGE_EXECUTOR))
    assert step.kinds[0] == "stage_started"
    assert step.kinds[-1] == "stage_finished"
    assert "test_reported" in step.kinds
    for wrong in (0, 99, Stage.STAGE_DEBUGGER):
        refused = await agents.gather(runner.step(CALLER, ORDER, wrong))
        assert isinstance(refused.error, errors.InvalidRequest)
        assert "architect, coder, executor" in refused.error.violations["stage"]
