"""The rehearsal: a scripted model on loopback, and one whole build on it in which all else is real."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from cofounder.runner.v1.event_lifecycle_pb2 import StageFinished
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import desk, parse
from cofounder_server.agent.nodes import unittests
from cofounder_server.agent.rehearsal import script
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.testing import agents
from cofounder_server.testing.agents import CALLER, ORDER, TERMINAL, Played
from cofounder_server.usage.prices import PriceTable

EXPORTED = f"repositories/{CALLER.build_id}"


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with agents.rehearsal() as base_url:
        yield base_url


@pytest.fixture
async def built(address: str, hands: Sandbox, tmp_path: Path) -> Played:
    async with agents.runner(address, tmp_path, hands) as runner:
        return await agents.gather(runner.run(CALLER, ORDER))


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "unittest", "discover", "-v"]
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


async def test_the_whole_build_is_real_but_for_the_words(built: Played, tmp_path: Path) -> None:
    """Issue 2, point 5: several files, one failing test that the debugger repairs, then green, then a commit."""
    assert built.error is None
    assert [kind for kind in built.kinds if kind in TERMINAL] == built.kinds[-1:] == ["build_succeeded"]
    stages = [(finished.stage, finished.iteration) for finished in built.of("stage_finished")]
    architect, coder, executor = Stage.STAGE_ARCHITECT, Stage.STAGE_CODER, Stage.STAGE_EXECUTOR
    debugger, reviewer, git = Stage.STAGE_DEBUGGER, Stage.STAGE_REVIEWER, Stage.STAGE_GIT_MANAGER
    before = [(architect, 1), (coder, 1), (executor, 1), (debugger, 1)]
    assert stages == [*before, (coder, 2), (executor, 2), (reviewer, 1), (git, 1)]
    outcomes = [finished.outcome for finished in built.of("stage_finished")]
    assert [outcome == StageFinished.OUTCOME_NEEDS_WORK for outcome in outcomes] == [False, False, True, *[False] * 5]
    assert [(report.passed, report.failed) for report in built.of("test_reported")] == [(12, 1), (13, 0)]
    [commit] = built.of("commit_created")
    assert built.events[-1].build_succeeded.commit_sha == commit.sha
    assert "your idea was not read" in built.text()
    assert not (tmp_path / "workspaces").exists() or not any((tmp_path / "workspaces").rglob("*.py"))


async def test_the_repository_holds_the_commit_and_its_tests_pass_by_hand(built: Played, tmp_path: Path) -> None:
    """Issue 2, shown by: the printed repository path has a commit, and its tests pass when run by hand."""
    repository = tmp_path / EXPORTED
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}

    def git(*argv: str) -> str:
        run = subprocess.run(["git", *argv], cwd=repository, env=env, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    [commit] = built.of("commit_created")
    assert git("rev-parse", "HEAD") == commit.sha
    assert git("branch", "--show-current") == commit.branch == "build/0123456789ab"
    assert git("log", "-1", "--format=%B").strip() == commit.message.strip()
    assert git("status", "--porcelain") == ""
    run = run_tests(repository)
    assert run.returncode == 0, run.stderr
    assert unittests.read(run.stderr).passed == 13


async def test_the_files_of_the_log_are_the_files_of_the_repository(built: Played, tmp_path: Path) -> None:
    """Byte for byte: pieces, hash, commit."""
    content: dict[str, str] = {}
    for event in built.events:
        if event.HasField("file_opened"):
            content[event.file_opened.path] = ""
        elif event.HasField("file_delta"):
            content[event.file_delta.path] += event.file_delta.text
        elif event.HasField("file_written"):
            written = content[event.file_written.path].encode()
            assert hashlib.sha256(written).digest() == event.file_written.sha256
    assert content == script.files()
    for path, text in content.items():
        assert (tmp_path / EXPORTED / path).read_text() == text


async def test_every_call_is_metered_and_priced(built: Played) -> None:
    """A-25, E-6: each of the five calls, with its own kinds of tokens."""
    usage = built.of("usage_recorded")
    assert [record.generation_id for record in usage] == [
        start.generation_id for start in built.of("generation_started")
    ]
    assert len(usage) == 5
    assert all(record.cost_microdollars > 0 and record.output_tokens > 100 for record in usage)
    assert not any(record.estimated for record in usage)
    assert [bool(record.cache_read_tokens) for record in usage] == [False, False, False, True, False]
    assert {record.price_version for record in usage} == {PriceTable().version}


async def test_no_event_is_large_and_all_steps_of_the_plan_get_done(built: Played) -> None:
    """C-9."""
    assert max(event.ByteSize() for event in built.events) < 256 * 1024
    [plan] = built.of("plan_proposed")
    done = [change.index for change in built.of("plan_step_changed") if change.status == 3]
    assert done == [step.index for step in plan.steps]
    assert "```" not in built.text()


async def test_another_attempt_starts_over_and_replaces_what_the_former_left(
    address: str, hands: Sandbox, tmp_path: Path
) -> None:
    """An attempt is fresh, and the export is replaced whole."""
    left = tmp_path / "workspaces" / CALLER.build_id / "1"
    left.mkdir(parents=True)
    (left / "tests").mkdir()
    (left / "tests" / "test_left_over.py").write_text("raise SystemExit(1)\n")
    old = tmp_path / EXPORTED
    old.mkdir(parents=True)
    (old / "old").write_text("of a former attempt")
    async with agents.runner(address, tmp_path, hands) as runner:
        played = await agents.gather(runner.run(CALLER, ORDER))
    assert played.kinds[-1] == "build_succeeded"
    assert not (old / "old").exists()
    assert not (old / "tests" / "test_left_over.py").exists()
    assert [folder.name for folder in old.parent.iterdir()] == [CALLER.build_id]


def test_the_draft_fails_exactly_one_test_and_the_repair_passes_all(tmp_path: Path) -> None:
    """One deliberate, believable mistake."""
    for path, content in script.files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert run_tests(tmp_path).returncode == 0
    mistake = resources.files("cofounder_server.agent.rehearsal") / "mistake"
    (tmp_path / "shortener" / "codes.py").write_text((mistake / "shortener" / "codes.py").read_text())
    report = unittests.read(run_tests(tmp_path).stderr)
    assert (report.passed, report.failed) == (12, 1)
    assert (report.failures[0].type, report.failures[0].message) == ("AssertionError", "1 != 62")
    shutil.rmtree(tmp_path / "shortener")


def test_the_script_knows_the_real_prompts() -> None:
    """The stage is recognised by the prompt alone, so the two must agree."""
    for role in ("architect", "coder", "debugger", "reviewer"):
        [block] = desk.prompt(role)
        assert script.stage_of(block["text"], "") == role
        assert "version" not in block["text"].partition("\n")[0]
    assert script.stage_of("# Coder", "… ## Findings …") == "coder_repair"
    assert script.stage_of("You are helpful.", "") is None


def test_the_scripted_documents_fit_what_the_agents_ask_for() -> None:
    plan = parse.parse(script.words("architect"), parse.Plan)
    assert {path for step in plan.steps for path in step.files} == set(script.files())
    assert parse.parse(script.words("reviewer"), parse.Verdict).complete


def client(address: str, **options: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key="any", base_url=address, max_retries=0, **options)


async def test_the_real_sdk_reads_the_scripted_stream_as_a_whole_message(address: str) -> None:
    """The order of events, usage and request id, as from the provider."""
    async with (
        client(address) as door,
        door.messages.stream(
            model="some-model",
            max_tokens=100,
            system=desk.prompt("debugger"),
            messages=[{"role": "user", "content": "What broke?"}],
        ) as stream,
    ):
        kinds = [event.type async for event in stream]
        message = await stream.get_final_message()
        request_id = stream.request_id
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert message.content[0].text == script.words("debugger")
    assert (message.model, message.stop_reason) == ("some-model", "end_turn")
    assert message.usage.output_tokens > 100
    assert message.usage.cache_creation_input_tokens
    assert request_id
    assert request_id.startswith("req_")


async def test_the_same_request_gets_the_same_answer(address: str) -> None:
    """It is stateless: any of several may be asked."""
    async with httpx2.AsyncClient() as browser:
        body = {"model": "m", "stream": True, "system": "# Reviewer", "messages": []}
        answers = [await browser.post(f"{address}/v1/messages", json=body, headers={"x-api-key": "k"}) for _ in "12"]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"x-api-key": "k"}, 400),
        (b"[]", {"x-api-key": "k"}, 400),
        (b'{"model": "m", "messages": [], "system": "s"}', {"x-api-key": "k"}, 400),
        (b'{"model": "m", "messages": [], "system": "s", "stream": true}', {}, 401),
    ],
)
async def test_requests_that_are_none_are_refused_as_the_provider_does(
    address: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with httpx2.AsyncClient() as browser:
        answer = await browser.post(f"{address}/v1/messages", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] in ("invalid_request_error", "authentication_error")
