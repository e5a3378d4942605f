"""The human view, on a real pseudo-terminal and in a pipe: safe (D-10, example 135), calm, and right."""

import re

import pytest
from google.rpc import code_pb2

from cofounder.runner.v1 import event_agent_pb2 as agent
from cofounder.runner.v1 import event_control_pb2 as control
from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1 import event_work_pb2 as work

ESC = "\x1b"
HOSTILE = [
    f"{ESC}]52;c;cHduZWQ=\x07",
    f"{ESC}]8;;https://evil.example{ESC}\\",
    f"{ESC}]0;owned\x07",
    f"{ESC}[6n",
    f"{ESC}c",
    f"{ESC}P+q544e{ESC}\\",
    f"{ESC}[5;41m",
    f"{ESC}[?1049h",
    "\x9b5n",
    "\x9d0;owned\x9c",
    "\r",
    "\b\b\b",
    "\u202e",
    "\u2066",
    "\x00\x07\x7f",
]
PAYLOAD = "".join(f"{hostile}<{index}>" for index, hostile in enumerate(HOSTILE)) + f"{ESC}]0;never ended"
VISIBLE = "".join(f"<{index}>" for index in range(len(HOSTILE)))

OURS = re.compile(r"\x1b\[(?:0|1|2|31|32|33)m|\r(?:\x1b\[\d+A)?\x1b\[J|\x1b\[\?7[lh]")
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def hostile_build(server) -> list:
    """A build in which everything that is text is hostile, and each text of a stream is split inside a sequence."""
    error = server.status(code_pb2.INTERNAL, f"error {PAYLOAD}", server.info(f"R{PAYLOAD}", debugId=PAYLOAD))
    texts = [PAYLOAD[start : start + 2] for start in range(0, len(PAYLOAD), 2)]
    path = f"dir/{PAYLOAD}.py"
    return [
        life.BuildAccepted(goal=PAYLOAD),
        life.StageStarted(stage=2, iteration=1),
        agent.GenerationStarted(generation_id="g", model=PAYLOAD),
        *(agent.TextDelta(generation_id="g", text=text) for text in texts),
        *(agent.ThinkingDelta(generation_id="t", text=text) for text in texts),
        agent.PlanProposed(title=PAYLOAD, steps=[agent.PlanStep(index=1, description=PAYLOAD, status=1)]),
        agent.PlanStepChanged(index=1, status=3),
        work.FileOpened(path=path, generation_id="g"),
        *(work.FileDelta(path=path, text=text) for text in texts),
        work.FileWritten(path=path, size_bytes=9, change=1),
        work.FileDeleted(path=path),
        work.CommandStarted(command_id="c", argv=["pytest", PAYLOAD]),
        *(work.CommandOutput(command_id="c", channel=channel, text=text) for text in texts for channel in (1, 2)),
        work.CommandOutput(command_id="c", channel=1, text=f"\n{PAYLOAD}\n"),
        work.CommandFinished(command_id="c", exit_code=1, reason=1),
        work.TestReported(failed=1, failures=[work.FailedTest(name=PAYLOAD, message=PAYLOAD)]),
        work.CommitCreated(sha=PAYLOAD, branch=PAYLOAD, message=PAYLOAD),
        work.CommitPushed(remote=PAYLOAD, branch=PAYLOAD),
        agent.GenerationVoided(generation_id="g", reason=PAYLOAD),
        agent.ProviderDelayed(reason=PAYLOAD, retry=1),
        agent.BudgetWarned(limit=PAYLOAD),
        agent.CreditRecorded(reason=PAYLOAD),
        control.QuestionAsked(question_id="q", text=PAYLOAD, choices=[PAYLOAD], default_choice=PAYLOAD),
        control.QuestionAnswered(question_id="q", text=PAYLOAD),
        control.SteerReceived(text=PAYLOAD),
        control.ConvergenceMeasured(signal=PAYLOAD, evidence=PAYLOAD, tripped=True),
        control.WarningRaised(code=PAYLOAD, text=PAYLOAD),
        control.PreviewStopped(reason=PAYLOAD),
        life.StageFinished(stage=2, iteration=1, outcome=1, summary=PAYLOAD),
        life.BuildFailed(error=error),
    ]


@pytest.mark.parametrize("verbose", [False, True], ids=["brief", "verbose"])
@pytest.mark.parametrize("columns", [80, 50, 21])
async def test_d_10_no_raw_escape_reaches_the_terminal_from_any_text(server, cli, columns, verbose):
    server.build.goal = server.build.scenario = server.build.commit_sha = server.build.repository_uri = PAYLOAD
    await server.append(*hostile_build(server))
    words = ("watch", server.build.build_id, *(["--verbose"] if verbose else []))
    ran = await cli.run_in_terminal(*words, columns=columns)
    assert ran.exit_code == 11
    assert ESC in ran.out
    assert STEERING.findall(OURS.sub("", ran.out)) == []
    assert "owned" not in ran.out
    assert "evil.example" not in ran.out


async def test_d_10_the_visible_text_is_right_even_split_between_tokens(server, cli):
    await server.append(*hostile_build(server))
    ran = await cli.run("watch", server.build.build_id)
    assert STEERING.findall(ran.out) == []
    for line in (f"  {VISIBLE}", f"  + dir/{VISIBLE}", f"  ? {VISIBLE}", f"  » {VISIBLE}", f"  ✓ {VISIBLE}"):
        assert line in ran.out
    assert f"error {VISIBLE}" in ran.out


async def test_d_10_an_error_of_the_server_cannot_steer_the_terminal(server, cli):
    server.aborts["GetBuild"] = [server.status(code_pb2.NOT_FOUND, PAYLOAD, server.info(PAYLOAD, id=PAYLOAD))]
    ran = await cli.run("watch", server.build.build_id)
    assert STEERING.findall(ran.err) == []
    assert VISIBLE in ran.err


async def test_d_10_a_sequence_left_open_in_one_stream_hides_nothing_of_another(server, cli):
    await server.append(
        life.BuildAccepted(goal="g"),
        agent.TextDelta(generation_id="g1", text=f"first{ESC}]0;"),
        agent.TextDelta(generation_id="g2", text="second"),
        life.BuildCancelled(),
    )
    ran = await cli.run("watch", server.build.build_id)
    assert "first" in ran.out
    assert "second" in ran.out


def shown(stream: str, columns: int) -> list[str]:
    """What a terminal shows in the end: follows the few sequences that the screen writes."""
    rows, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[?\d]*[A-Za-z]|\n|\r|[^\x1b\n\r]", stream):
        if token == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif token == "\r":
            column = 0
        elif token.endswith("A") and token != "A":
            row -= int(token[2:-1])
        elif token == f"{ESC}[J":
            rows[row:] = [rows[row][:column]]
        elif not token.startswith(ESC):
            assert column < columns, "a line was left to the terminal to break"
            rows[row] = rows[row][:column] + token
            column += 1
    return [line.rstrip() for line in rows]


@pytest.mark.parametrize("rehearsal", [True, False])
async def test_no_model_is_said_to_be_asked_where_the_words_are_scripted(server, cli, happy_path, rehearsal):
    server.batch, server.build.rehearsal = 1, rehearsal
    await server.append(*happy_path)
    drawn = await cli.run_in_terminal("watch", server.build.build_id)
    assert ("asking " in drawn.out) is not rehearsal
    assert ("reading the script" in drawn.out) is rehearsal


@pytest.mark.parametrize("columns", [100, 60])
async def test_what_a_terminal_shows_in_the_end_is_what_a_pipe_got(server, cli, happy_path, columns):
    """The live rows leave nothing behind: the drawn screen holds the words of the plain stream, in their order."""
    server.batch = 1
    await server.append(*happy_path)
    piped = await cli.run("watch", server.build.build_id)
    drawn = await cli.run_in_terminal("watch", server.build.build_id, columns=columns)
    assert ESC not in piped.out
    assert "\r" not in piped.out
    assert " ".join(" ".join(shown(drawn.out, columns)).split()) == " ".join(piped.out.split())


async def test_a_finished_build_reads_well(server, cli, happy_path):
    """Stages, text, files with their lines, commands, tests, the commit and the end, in the order of the log."""
    await server.append(*happy_path)
    ran = await cli.run("watch", server.build.build_id)
    assert ran.out.splitlines() == [
        "A URL shortener with tests",
        f"build {server.build.build_id}",
        "",
        "● Coder  0:02",
        "  I begin with the model.",
        "",
        "  + app/models.py  2 lines · 21 B",
        "",
        "  ✓ One file written  8.0 s · $0.0081",
        "",
        "  $ pytest -q",
        "    ...",
        "    3 passed",
        "    exit 0  0.0 s",
        "",
        "  ✓ 3 tests passed",
        "",
        "  ✓ commit 0f0f0f0f0f  Add models",
        "    1 file · +2 −0 · on main",
        "",
        "✓ Succeeded in 17 s for $0.0123",
        "  A shortener with three tests",
        "",
        f"  build       {server.build.build_id}",
        "  repository  /tmp/projects/p/repo one",
        f"  commit      {'0f' * 20}",
        "  cost        $0.0123",
        "  elapsed     17 s",
        "",
    ]


async def test_verbose_shows_the_text_of_files_as_it_is_written(server, cli, happy_path):
    await server.append(*happy_path)
    ran = await cli.run("watch", server.build.build_id, "--verbose")
    assert "  │ class Link:\n  │     pass\n" in ran.out


async def test_only_the_end_of_a_long_output_stays(server, cli):
    lines = "".join(f"line {number}\n" for number in range(40))
    await server.append(
        life.BuildAccepted(goal="g"),
        work.CommandStarted(command_id="c", argv=["make"]),
        work.CommandOutput(command_id="c", channel=1, text=lines),
        work.CommandFinished(command_id="c", exit_code=2, reason=1),
        life.BuildCancelled(),
    )
    ran = await cli.run("watch", server.build.build_id)
    assert "… 32 lines above" in ran.out
    assert "line 31\n" not in ran.out
    assert "line 32\n" in ran.out


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}], ids=lambda e: next(iter(e)))
async def test_no_colour_where_none_is_wanted(server, cli, happy_path, environ):
    await server.append(*happy_path)
    cli.environ |= environ
    ran = await cli.run_in_terminal("watch", server.build.build_id)
    assert not re.search(r"\x1b\[\d+m", ran.out)
    if "NO_COLOR" not in environ:
        assert ESC not in ran.out


async def test_a_locale_that_cannot_write_a_letter_does_not_end_the_view(server, cli):
    cli.environ |= {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    await server.append(life.BuildAccepted(goal="g"), agent.TextDelta(text="漢 end"), life.BuildCancelled())
    ran = await cli.run("watch", server.build.build_id)
    assert ran.exit_code == 12
    assert "? end" in ran.out


async def test_a_second_attempt_says_what_became_void(server, cli):
    await server.append(
        life.BuildAccepted(goal="g"),
        life.AttemptStarted(worker_id="w1", kept_through_sequence=1),
        life.AttemptStarted(worker_id="w2", kept_through_sequence=1, reason=1),
        life.BuildCancelled(),
    )
    ran = await cli.run("watch", server.build.build_id)
    assert ran.out.count("what came after event 1 is void") == 1
