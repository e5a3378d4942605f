"""The commands as a person or a script meets them: exit codes, what is on stdout, what every refusal says."""

import asyncio
import json
import socket

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cofounder.runner.v1 import build_event_pb2, event_lifecycle_pb2, runner_service_pb2


def bad_request(**fields: str) -> error_details_pb2.BadRequest:
    bad = [error_details_pb2.BadRequest.FieldViolation(field=name, description=fields[name]) for name in fields]
    return error_details_pb2.BadRequest(field_violations=bad)


@pytest.fixture
def endings(server):
    error = server.status(
        code_pb2.UNAVAILABLE, "The model is overloaded", server.info("PROVIDER_FAILED", kind="overloaded")
    )
    return {
        0: event_lifecycle_pb2.BuildSucceeded(commit_sha="ab" * 20, summary="Done"),
        10: event_lifecycle_pb2.BuildPartial(commit_sha="cd" * 20, failures=["test_x: TypeError"]),
        11: event_lifecycle_pb2.BuildFailed(error=error),
        12: event_lifecycle_pb2.BuildCancelled(user_id="u"),
    }


@pytest.mark.parametrize("code", [0, 10, 11, 12])
async def test_exit_codes_tell_the_four_endings_apart(server, cli, happy_path, endings, code):
    await server.append(*happy_path[:-1], endings[code])
    ran = await cli.run("build", "An idea", "--json")
    assert ran.exit_code == code
    events = [json_format.Parse(line, build_event_pb2.BuildEvent()) for line in ran.out.splitlines()]
    assert events == server.events


@pytest.mark.parametrize("code", [0, 10, 11, 12])
async def test_exit_codes_hold_when_the_watch_begins_after_the_end(server, cli, happy_path, endings, code):
    await server.append(*happy_path[:-1], endings[code])
    ran = await cli.run("watch", server.build.build_id, "--after", str(len(happy_path)))
    assert ran.exit_code == code


async def test_build_sends_what_was_typed_and_ends_with_where_the_result_lies(server, cli, happy_path):
    server.build.commit_sha = "0f" * 20
    await server.append(*happy_path)
    words = ("build", "Ein Kürzer", "--project", "p7", "--budget", "0.50", "--request-id", "r-1")
    ran = await cli.run(*words, "--rehearse", "happy_path")
    sent = server.starts[0]
    assert (sent.goal, sent.project_id, sent.budget_microdollars) == ("Ein Kürzer", "p7", 500_000)
    assert (sent.request_id, sent.scenario) == ("r-1", "happy_path")
    assert "repository  /tmp/projects/p/repo one" in ran.out
    assert f"commit      {'0f' * 20}" in ran.out
    assert "cost        $0.0123" in ran.out
    assert "elapsed     17 s" in ran.out
    assert ran.exit_code == 0


SAID_OF_A_REHEARSAL = {
    "": "Rehearsal: no model was asked; the words are scripted and your idea was not read. Everything else is real.",
    "happy_path": "Rehearsal of a scenario: no model was asked and your idea was not read. What you see is played "
    "from a script; no file, command or commit of it is real.",
}


@pytest.mark.parametrize("scenario", SAID_OF_A_REHEARSAL)
async def test_a_rehearsal_says_at_the_start_and_at_the_end_what_of_it_is_real(server, cli, happy_path, scenario):
    await server.append(*happy_path)
    server.build.rehearsal = True
    human = await cli.run("build", "x", "--rehearse", scenario)
    machine = await cli.run("build", "x", "--rehearse", scenario, "--json")
    for text in (human.out, machine.err):
        assert text.count(SAID_OF_A_REHEARSAL[scenario]) == text.count("Rehearsal") == 2
        assert text.index("Rehearsal") < len(text) / 2 < text.rindex("Rehearsal")
    assert "Rehearsal" not in machine.out


async def test_a_build_with_a_model_never_says_rehearsal(server, cli, happy_path):
    await server.append(*happy_path)
    assert "Rehearsal" not in (await cli.run("build", "x")).out


async def test_detach_starts_and_returns(server, cli):
    human = await cli.run("build", "An idea", "--detach")
    assert f"cofounder watch {server.build.build_id}" in human.out
    machine = await cli.run("build", "An idea", "--detach", "--json")
    started = json_format.Parse(machine.out, runner_service_pb2.StartBuildResponse())
    assert started.build.build_id == server.build.build_id
    assert server.watched_after == []


async def test_an_idea_of_a_dash_is_read_from_stdin(server, cli):
    await cli.run("build", "-", "--detach", stdin="Größer\nals eine Zeile".encode())
    assert server.starts[0].goal == "Größer\nals eine Zeile"


async def test_cancel_asks_once_and_answers_with_one_object(server, cli):
    ran = await cli.run("cancel", server.build.build_id, "--json")
    assert json_format.Parse(ran.out, runner_service_pb2.CancelBuildResponse()).build == server.build
    assert server.cancels == [server.build.build_id]


async def test_builds_lists_them_for_a_person_and_as_one_object(server, cli):
    human = await cli.run("builds")
    assert server.build.build_id in human.out
    assert "A URL shortener with tests" in human.out
    machine = await cli.run("builds", "--json")
    assert json_format.Parse(machine.out, runner_service_pb2.ListBuildsResponse()).builds == [server.build]


# By reason: the code, the server's own words, details beside the reason, the exit code, and all that is said of it.
REFUSALS = {
    "NOT_FOUND": (
        code_pb2.NOT_FOUND,
        "There is no build b. Check the id.",
        [],
        1,
        [
            "There is no build b. Check the id. (NOT_FOUND)",
            "`cofounder builds` lists those in which this token has a role.",
        ],
    ),
    "UNAUTHENTICATED": (
        code_pb2.UNAUTHENTICATED,
        "No valid token came. Sign in.",
        [],
        1,
        [
            "No valid token came. Sign in. (UNAUTHENTICATED)",
            "Set COFOUNDER_TOKEN, or point COFOUNDER_TOKEN_FILE at a fresh token.",
        ],
    ),
    "INVALID_REQUEST": (
        code_pb2.INVALID_ARGUMENT,
        "Refused, and nothing changed. goal: is too long",
        [bad_request(goal="is too long", request_id="is required")],
        2,
        [
            "Refused, and nothing changed. goal: is too long (INVALID_REQUEST)",
            "  request_id: is required",
            "Mend what is named and run the command again.",
        ],
    ),
    "RATE_LIMITED": (
        code_pb2.RESOURCE_EXHAUSTED,
        "Too many calls at once.",
        [error_details_pb2.RetryInfo(retry_delay={"seconds": 75})],
        1,
        ["Too many calls at once. (RATE_LIMITED)", "Try again in 1:15."],
    ),
    "INTERNAL": (
        code_pb2.INTERNAL,
        "Something failed on our side.",
        [],
        1,
        ["Something failed on our side. (INTERNAL)", "Debug id: d-17"],
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
async def test_a_refusal_says_each_thing_once_and_what_to_do_next(server, cli, reason):
    code, message, details, exit_code, lines = REFUSALS[reason]
    metadata = {"debugId": "d-17"} if reason == "INTERNAL" else {}
    server.aborts["StartBuild"] = [server.status(code, message, server.info(reason, **metadata), *details)]
    ran = await cli.run("build", "An idea")
    assert ran.exit_code == exit_code
    assert ran.out == ""
    assert ran.err.splitlines() == lines


async def test_a_spent_quota_names_the_limit_and_when_it_is_free_again(server, cli):
    quota = error_details_pb2.QuotaFailure(
        violations=[error_details_pb2.QuotaFailure.Violation(subject="builds_per_day", description="5 of 5 are used")]
    )
    info = server.info("QUOTA_EXCEEDED", quota="builds_per_day", resetTime="2026-11-02T00:00:00Z")
    server.aborts["StartBuild"] = [server.status(code_pb2.RESOURCE_EXHAUSTED, "No builds left", info, quota)]
    ran = await cli.run("build", "An idea")
    assert "builds_per_day: 5 of 5 are used" in ran.err
    assert "free again at 2026-11-02T00:00:00Z" in ran.err


async def test_an_error_without_details_still_has_a_next_step(server, cli):
    server.aborts["GetBuild"] = [status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="no")]
    ran = await cli.run("watch", server.build.build_id)
    assert ran.err.splitlines() == ["no (PERMISSION_DENIED)", "This token may not do that."]


async def test_a_double_answer_starts_one_build(server, cli, happy_path):
    """The first answer is lost; the same request id goes out again."""
    server.aborts["StartBuild"] = [status_pb2.Status(code=code_pb2.UNAVAILABLE, message="gone")]
    await server.append(*happy_path)
    ran = await cli.run("build", "x", "--request-id", "r-2", "--json")
    assert ran.exit_code == 0
    assert [start.request_id for start in server.starts] == ["r-2"]


async def test_no_server_is_said_with_what_to_do(cli):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ran = await cli.run("builds", "--server", f"127.0.0.1:{port}")
    assert ran.exit_code == 1
    assert f"No server answers at 127.0.0.1:{port} (Connection refused)" in ran.err
    assert "make run" in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("build",), "Missing argument 'IDEA'"),
        (("build", "x", "--budget", "a lot"), "--budget 'a lot' is not an amount"),
        (("build", "x", "--budget", "-1"), "is not an amount"),
        (("build", "x", "--budget", "0.0000001"), "is not an amount"),
        (("build", "x", "--budget", "NaN"), "is not an amount"),
        (("build", "x", "--token", "secret"), "No such option"),
        (("watch", "b", "--after", "-1"), "--after"),
        (("builds", "--server", "nowhere"), "'nowhere' is not an address"),
        (("builds", "--server", "u:p@host:1"), "is not an address"),
        (("fly",), "No such command"),
    ],
)
async def test_wrong_usage_exits_with_2_and_says_why(cli, words, says):
    ran = await cli.run(*words)
    assert ran.exit_code == 2
    assert says in ran.err


async def test_bytes_that_are_not_utf8_are_refused_before_anything_starts(server, cli):
    cli.environ["PYTHONUTF8"] = "1"
    ran = await cli.run("build", b"caf\xe9")
    assert ran.exit_code == 2
    assert "IDEA holds bytes that are not UTF-8" in ran.err
    assert server.starts == []


@pytest.mark.parametrize("source", ["COFOUNDER_TOKEN_FILE", "COFOUNDER_DATA", "folder"])
async def test_the_token_is_found_in_each_of_its_places(server, cli, tmp_path, source):
    folder = tmp_path / ("data" if source == "COFOUNDER_DATA" else ".cofounder")
    path = tmp_path / "elsewhere" if source == "COFOUNDER_TOKEN_FILE" else folder / "keys" / "me.token"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("token-from-a-file\n")
    cli.environ |= {"COFOUNDER_TOKEN": ""} | ({} if source == "folder" else {source: str(path)})
    if source == "COFOUNDER_DATA":
        cli.environ[source] = str(folder)
    assert (await cli.run("builds")).exit_code == 0
    assert server.metadata[0]["authorization"] == "Bearer token-from-a-file"


async def test_no_token_is_said_before_anything_is_asked(server, cli):
    cli.environ["COFOUNDER_TOKEN"] = ""
    ran = await cli.run("builds")
    assert ran.exit_code == 1
    assert "No token" in ran.err
    assert "COFOUNDER_TOKEN_FILE" in ran.err
    assert server.metadata == []


async def test_a_token_that_cannot_be_one_is_never_quoted(server, cli):
    cli.environ["COFOUNDER_TOKEN"] = "secret with\nblanks"
    ran = await cli.run("builds")
    assert ran.exit_code == 1
    assert "secret" not in ran.err + ran.out
    assert server.metadata == []


async def test_the_token_is_in_no_output_even_when_it_is_refused(server, cli):
    server.aborts["StartBuild"] = [server.status(code_pb2.UNAUTHENTICATED, "no", server.info("UNAUTHENTICATED"))]
    ran = await cli.run("build", "x")
    assert cli.environment()["COFOUNDER_TOKEN"] not in ran.out + ran.err


async def test_help_teaches_with_examples_and_imports_nothing_heavy(cli):
    for words in ((), ("build",), ("watch",), ("cancel",), ("builds",), ("usage",)):
        ran = await cli.run(*words, "--help")
        assert ran.exit_code == 0
        assert "Example" in ran.out
    cli.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    imported = (await cli.run("--help")).err
    assert "click" in imported
    for heavy in ("grpclib", "betterproto2", "google.protobuf", "cofounder_cli._gen"):
        assert heavy not in imported


async def test_version_is_told(cli):
    ran = await cli.run("--version")
    assert ran.exit_code == 0
    assert ran.out.startswith("cofounder, version ")


async def test_a_reader_that_leaves_ends_the_command_quietly(server, cli, happy_path):
    await server.append(*happy_path[:3])
    process = await cli.spawn("watch", server.build.build_id, "--json")
    assert json.loads(await process.stdout.readline())["sequence"] == "1"
    process._transport.get_pipe_transport(1).close()
    await server.append(*happy_path[3:])
    async with asyncio.timeout(30):
        err = await process.stderr.read()
        assert await process.wait() == 1
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
