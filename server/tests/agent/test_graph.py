"""The pipeline on a scripted wire: its loops and their bound, its faults, its events, and how it lets go."""

import asyncio
import contextlib
import hashlib
import secrets
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_work_pb2 import FILE_CHANGE_CREATED, FILE_CHANGE_MODIFIED
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent.rehearsal import wire as sse
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.testing import agents
from cofounder_server.testing import anthropic_wire as fake
from cofounder_server.testing.agents import CALLER, ORDER, TERMINAL, Played
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.cast import COMPLETE, FAILING, PASSING, PLAN, Cast, file, project
from cofounder_server.usage.prices import PriceTable

Play = Callable[..., Awaitable[Played]]


def files(folder: Path) -> set[str]:
    """Returns every file below, without git's own."""
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {str(file) for file in found if ".git" not in file.parts}


async def test_a_good_build_goes_straight_through(play: Play) -> None:
    cast = Cast()
    played = await play(cast)
    assert played.stages == ["architect", "coder", "executor", "reviewer", "git_manager"]
    assert [kind for kind in played.kinds if kind in TERMINAL] == played.kinds[-1:] == ["build_succeeded"]
    assert ORDER.goal in cast.heard["architect"][0]
    assert "tests/test_app.py" in cast.heard["coder"][0]
    assert "1 passed" in cast.heard["reviewer"][0]


async def test_usage_in_the_events_equals_the_wires(play: Play) -> None:
    """Issue 2, shown by: input, output and cache tokens in the log, as the fake counted them."""
    played = await play(Cast())
    usage = played.of("usage_recorded")
    assert len(usage) == 3
    for record in usage:
        counted = (record.input_tokens, record.output_tokens, record.cache_read_tokens)
        assert (*counted, record.cache_write_5m_tokens, record.cache_write_1h_tokens) == (25, 7, 1000, 400, 100)
        assert record.cost_microdollars == PriceTable().cost(record.model, fake.TOKENS)
    assert [record.stage for record in usage] == [Stage.STAGE_ARCHITECT, Stage.STAGE_CODER, Stage.STAGE_REVIEWER]


async def test_failing_tests_go_to_the_debugger_and_back_to_the_coder(play: Play) -> None:
    cast = Cast(coder=[project(FAILING), file("tests/test_app.py", PASSING)])
    played = await play(cast)
    assert played.stages == [
        *("architect", "coder", "executor", "debugger", "coder", "executor", "reviewer", "git_manager")
    ]
    assert "AssertionError: 1 != 2" in cast.heard["debugger"][0]
    assert "The cause is known." in cast.heard["coder"][1]
    assert "Findings" not in cast.heard["coder"][0]
    changes = [written.change for written in played.of("file_written")]
    assert changes == [FILE_CHANGE_CREATED] * 3 + [FILE_CHANGE_MODIFIED]
    [failure] = played.of("test_reported")[0].failures
    assert failure.name == "test_it"
    assert len(failure.message.encode()) <= 1024


async def test_what_the_reviewer_finds_goes_to_the_coder(play: Play) -> None:
    unhappy = '```json\n{"complete": false, "findings": ["app.py lacks y"]}\n```'
    cast = Cast(coder=[project(), file("app.py", "x = y = 1\n")], reviewer=[unhappy, COMPLETE])
    played = await play(cast)
    assert played.stages[3:] == ["reviewer", "coder", "executor", "reviewer", "git_manager"]
    assert "app.py lacks y" in cast.heard["coder"][1]
    assert played.events[-1].HasField("build_succeeded")


@pytest.mark.parametrize("role", ["coder", "reviewer"])
async def test_every_loop_is_bounded_and_ends_as_partial_with_the_evidence(
    play: Play, tmp_path: Path, role: str
) -> None:
    """Domain, Pipeline: an unbounded loop is the failure that killed an earlier product of this kind."""
    unhappy = '```json\n{"complete": false, "findings": ["not yet"]}\n```'
    cast = Cast(coder=[project(FAILING)]) if role == "coder" else Cast(reviewer=[unhappy])
    played = await play(cast, iterations=3)
    assert len(cast.heard["coder"]) == 3
    [measured] = played.of("convergence_measured")
    assert (measured.signal, measured.value, measured.limit, measured.tripped) == ("iterations", 3, 3, True)
    partial = played.events[-1].build_partial
    assert partial.commit_sha == ""
    assert partial.failures == (["test_it: AssertionError: 1 != 2"] if role == "coder" else ["not yet"])
    # What there is can be had all the same, under a message that says what it is.
    [commit] = played.of("commit_created")
    assert commit.message.startswith("T (unfinished)")
    assert (tmp_path / "repositories" / CALLER.build_id / "app.py").read_text() == "x = 1\n"


async def test_a_plan_that_cannot_be_read_is_asked_for_again_twice_at_most(play: Play) -> None:
    """E-7: re-asks are bounded, then terminal."""
    cast = Cast(architect=["no plan", '{"title": "cut', PLAN])
    assert (await play(cast)).kinds[-1] == "build_succeeded"
    assert "no JSON object" in cast.heard["architect"][1]
    cast = Cast(architect=["no plan"])
    played = await play(cast)
    assert isinstance(played.error, errors.InvalidModelOutput)
    assert played.error.metadata == {"stage": "architect"}
    assert len(cast.heard["architect"]) == 3
    assert not set(played.kinds) & set(TERMINAL)


async def test_a_plan_in_prose_is_shown_without_its_json(play: Play) -> None:
    played = await play(Cast(architect=[f"We build it.\n{PLAN}\nSo be it."]))
    architect = played.of("generation_started")[0].generation_id
    shown = "".join(delta.text for delta in played.of("text_delta") if delta.generation_id == architect)
    assert shown == "We build it.\nSo be it."


async def test_a_coder_that_writes_no_file_is_asked_again_and_then_it_is_over(play: Play) -> None:
    cast = Cast(coder=["I would rather not.", "", project()])
    assert (await play(cast)).kinds[-1] == "build_succeeded"
    cast = Cast(coder=["I would rather not."])
    played = await play(cast)
    assert isinstance(played.error, errors.InvalidModelOutput)
    assert len(cast.heard["coder"]) == 3


REFUSED = ["../x", "/etc/x", "a/../../x", ".git/config", "sub/.GIT/hooks/pre-commit", ".gitattributes", "~/x", "APP.py"]


@pytest.mark.parametrize("path", REFUSED)
async def test_a_refused_name_is_a_warning_and_the_build_goes_on(play: Play, tmp_path: Path, path: str) -> None:
    """D-7, example 125: refused with a reason, nothing outside of the root, the build continues."""
    played = await play(Cast(coder=[project() + file(path, "bad\n"), project()]))
    assert played.warnings == ["name_refused"]
    assert path not in [opened.path for opened in played.of("file_opened")]
    assert played.kinds[-1] == "build_succeeded"
    exported = tmp_path / "repositories" / CALLER.build_id
    assert {written.path for written in played.of("file_written")} == files(exported)
    assert files(tmp_path) == {f"repositories/{CALLER.build_id}/{name}" for name in files(exported)}


async def test_a_file_that_is_not_closed_is_not_written(play: Play) -> None:
    """E-1, E-7: nothing truncated is completed."""
    played = await play(Cast(coder=[project() + '<file path="late.py">\nx = ', project()]))
    assert played.warnings == ["file_unfinished"]
    assert "late.py" not in [written.path for written in played.of("file_written")]
    assert played.kinds[-1] == "build_succeeded"


async def test_what_a_void_answer_wrote_is_taken_back(play: Play, tmp_path: Path) -> None:
    """E-1, E-5: no half of an answer is ever used; the log says how each file stands again."""
    half = file("only_in_the_half.py", "x\n") + file("app.py", "half\n") + file("tests/test_app.py", PASSING) + "and"
    repair = file("tests/test_app.py", PASSING)
    played = await play(Cast(coder=[project(FAILING), fake.broken([half]), repair]))
    assert played.kinds[-1] == "build_succeeded"
    standing: dict[str, bytes] = {}
    for event in played.events:
        if event.HasField("file_written"):
            standing[event.file_written.path] = event.file_written.sha256
        elif event.HasField("file_deleted"):
            del standing[event.file_deleted.path]
    assert "only_in_the_half.py" not in standing
    assert standing["app.py"] == hashlib.sha256(b"x = 1\n").digest()
    exported = tmp_path / "repositories" / CALLER.build_id
    assert not (exported / "only_in_the_half.py").exists()
    for path, sha256 in standing.items():
        assert hashlib.sha256((exported / path).read_bytes()).digest() == sha256
    void = played.kinds.index("generation_voided")
    assert "file_deleted" in played.kinds[void:]


async def test_every_event_before_a_fault_is_delivered(play: Play) -> None:
    """The usage of the last attempt stands in the log although the stage never ended."""
    broken = fake.broken(["half of "], sse.error("overloaded_error", "x"))
    played = await play(Cast(coder=[broken]))
    assert isinstance(played.error, errors.ProviderFailed)
    assert played.error.metadata == {"kind": "overloaded"}
    assert played.kinds[-3:] == ["text_delta", "generation_voided", "usage_recorded"]
    assert len(played.of("generation_voided")) == 3


async def test_an_enormous_piece_becomes_events_of_a_bounded_size(play: Play) -> None:
    """C-9, example 95."""
    long = "é" * 300_000 + "\n"
    answer = fake.say([long + project() + file("long.txt", long[:200_000] + "\n")])
    played = await play(Cast(coder=[answer]))
    assert played.kinds[-1] == "build_succeeded"
    assert max(event.ByteSize() for event in played.events) <= 128 * 1024
    assert played.text().count("é") == 300_000


async def test_a_file_beyond_its_cap_is_refused_and_the_build_goes_on(play: Play) -> None:
    """D-7: length caps."""
    answer = fake.say([project() + file("big.txt", "x" * (1024 * 1024 + 1) + "\n")])
    played = await play(Cast(coder=[answer, project()]))
    assert "file_refused" in played.warnings
    assert played.kinds[-1] == "build_succeeded"


SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"


async def until(stream: AsyncGenerator[BuildEvent, None], *kinds: str) -> None:
    """Reads until each of the kinds has come, one after the other."""
    async with asyncio.timeout(60):
        for kind in kinds:
            while not (await anext(stream)).HasField(kind):  # type: ignore[arg-type]
                """Only the kind asked for counts."""


async def leave(stream: AsyncGenerator[BuildEvent, None], way: str) -> None:
    """Closes the stream, or cancels the task that waits for its next event."""
    if way == "cancel":
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    await stream.aclose()


def running(mark: str) -> list[str]:
    """Returns the processes, anywhere on the machine, whose command line holds the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_leaving_mid_generation_closes_the_providers_connection(hands: Sandbox, tmp_path: Path, way: str) -> None:
    """Cancelling closes the provider's connection, observed at the fake, and leaves no workspace."""
    cast = Cast(coder=[fake.stalled(["Let me ", "think"])])
    async with AnthropicWire(choose=cast) as wire, agents.runner(wire.base_url, tmp_path, hands) as runner:
        stream = runner.run(CALLER, ORDER)
        await until(stream, "stage_finished", "text_delta")
        assert not wire.calls[1].closed.is_set()
        await leave(stream, way)
        async with asyncio.timeout(20):
            await wire.calls[1].closed.wait()
    assert not (tmp_path / "workspaces" / CALLER.build_id).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_leaving_while_the_tests_run_leaves_no_process(hands: Sandbox, tmp_path: Path, way: str) -> None:
    """Cancelling kills the sandbox's whole tree before it returns."""
    mark = f"600.{secrets.randbelow(10**12):012}"
    cast = Cast(coder=[project(f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'])\n{SLEEPS}")])
    async with AnthropicWire(choose=cast) as wire, agents.runner(wire.base_url, tmp_path, hands) as runner:
        stream = runner.run(CALLER, ORDER)
        await until(stream, "command_output")
        async with asyncio.timeout(20):
            while not running(mark):
                await asyncio.sleep(0.01)  # it has started, but its command line may not stand yet
        await leave(stream, way)
        assert running(mark) == []
    assert not (tmp_path / "workspaces" / CALLER.build_id).exists()


async def test_the_workspace_stays_where_that_is_asked_for(hands: Sandbox, tmp_path: Path) -> None:
    async with (
        AnthropicWire(choose=Cast()) as wire,
        agents.runner(wire.base_url, tmp_path, hands, keep=True) as runner,
    ):
        await agents.gather(runner.run(CALLER, ORDER))
    assert (tmp_path / "workspaces" / CALLER.build_id / "1" / "app.py").read_text() == "x = 1\n"
    assert not (tmp_path / "workspaces" / CALLER.build_id / "1" / ".git").exists()


async def test_single_steps_go_on_where_the_former_one_ended(hands: Sandbox, tmp_path: Path) -> None:
    """Domain, Runner 2."""
    cast = Cast()
    async with AnthropicWire(choose=cast) as wire, agents.runner(wire.base_url, tmp_path, hands) as runner:
        told = [await agents.gather(runner.step(CALLER, ORDER, stage)) for stage in (1, 2, 3)]
        for wrong in (0, 99):
            refused = await agents.gather(runner.step(CALLER, ORDER, wrong))
            assert isinstance(refused.error, errors.InvalidRequest)
            assert "architect, coder, executor, debugger, reviewer, git_manager" in refused.error.violations["stage"]
    assert [(played.error, played.stages) for played in told] == [
        *((None, ["architect"]), (None, ["coder"]), (None, ["executor"]))
    ]
    assert not any(set(played.kinds) & set(TERMINAL) for played in told)
    assert told[2].of("test_reported")[0].passed == 1
    assert "tests/test_app.py" in cast.heard["coder"][0]


async def test_a_stage_ends_with_the_hash_of_the_whole_workspace(play: Play) -> None:
    """A build can be taken up again, or forked, here: the name of the state is the same exactly if the files are."""
    played = await play(Cast(coder=[project(FAILING), file("tests/test_app.py", PASSING)]))
    hashes = [finished.tree_hash for finished in played.of("stage_finished")]
    assert [len(found) for found in hashes] == [32] * 8
    assert hashes[1] == hashes[2] == hashes[3] != hashes[4] == hashes[5] == hashes[7]
