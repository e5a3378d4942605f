"""The watch: Ordered, Unique, Reliable and Resumable, from the client's side, over a socket that is really cut."""

import asyncio
import json
import signal

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2

from cofounder.runner.v1 import build_event_pb2, event_agent_pb2, event_lifecycle_pb2
from cofounder_cli import client as client_module
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.client import BrokenLog, Client, advance
from cofounder_cli.connection import Address
from cofounder_cli.failure import CommandFailed


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
async def client(server, notices):
    made = Client(Address("127.0.0.1", server.port), lambda: "token", notice=notices.append)
    yield made
    await made.close()


def delta(text: str) -> event_agent_pb2.TextDelta:
    return event_agent_pb2.TextDelta(generation_id="g", text=text)


async def watched(client: Client, build_id: str, **how) -> list[int]:
    async with asyncio.timeout(30):
        return [event.sequence async for response in client.watch(build_id, **how) for event in response.events]


async def test_reliable_a_watch_of_a_finished_build_yields_every_event_and_ends(server, client, happy_path):
    await server.append(*happy_path)
    assert await watched(client, server.build.build_id) == list(range(1, len(happy_path) + 1))


async def test_resumable_a_watch_after_a_sequence_begins_with_the_next(server, client, happy_path):
    await server.append(*happy_path)
    assert await watched(client, server.build.build_id, after=5) == list(range(6, len(happy_path) + 1))


async def test_terminated_a_watch_after_the_terminal_event_ends_at_once(server, client, happy_path):
    await server.append(*happy_path)
    assert await watched(client, server.build.build_id, after=len(happy_path)) == []


async def test_unique_and_reliable_cut_again_and_again_the_json_lines_are_dense(server, cli):
    """The server is killed and started again on the same port, in the middle of the stream, six times."""
    server.batch = 2
    process = await cli.spawn("watch", server.build.build_id, "--json")
    for round_ in range(6):
        await server.append(*(delta(f"{round_}.{n} ") for n in range(5)))
        await server.until(lambda: len(server.watched_after) > 0)
        lines = [json.loads(await process.stdout.readline()) for _ in range(3 if round_ == 0 else 5)]
        assert lines[-1]["sequence"] == str(3 + round_ * 5)
        await server.stop()
        server.watched_after.clear()
        await server.serve()
    await server.append(event_lifecycle_pb2.BuildSucceeded(commit_sha="ab"))
    async with asyncio.timeout(30):
        rest, err = await process.communicate()
    rest = [json_format.Parse(line, build_event_pb2.BuildEvent()) for line in rest.decode().splitlines()]
    assert [event.sequence for event in rest] == [29, 30, 31]
    assert rest == server.events[28:]
    assert process.returncode == 0
    assert "reconnecting…" in err.decode()
    assert "Connected again; going on after event" in err.decode()


async def test_a_gap_is_a_hard_error_and_nothing_after_it_is_shown(server, cli, happy_path):
    server.batch = 50

    def lose_the_fifth(response):
        del response.events[4]

    server.rewrite = lose_the_fifth
    await server.append(*happy_path)
    ran = await cli.run("watch", server.build.build_id, "--json")
    assert ran.exit_code == 1
    assert ran.out == ""
    assert "left out events: 6 came after 4" in ran.err


async def test_a_repeat_is_a_hard_error(server, cli, happy_path):
    def repeat(response):
        response.events.append(response.events[-1])

    server.rewrite = repeat
    await server.append(*happy_path)
    ran = await cli.run("watch", server.build.build_id, "--json")
    assert ran.exit_code == 1
    assert "repeated events: 3 came after 3" in ran.err


def test_a_bookmark_beyond_the_events_is_a_gap():
    response = runner.WatchBuildResponse(events=[runner.BuildEvent(sequence=3)], through_sequence=5)
    with pytest.raises(BrokenLog):
        advance(2, response)
    assert advance(2, runner.WatchBuildResponse(through_sequence=2)) == 2


async def test_bookmarkable_a_silent_stream_is_taken_up_again(server, client, notices, monkeypatch, happy_path):
    """The watchdog: nothing for a while means that the connection is broken, however open it looks."""
    monkeypatch.setattr(client_module, "STALL_SECONDS", 0.3)
    await server.append(*happy_path[:4])
    following = asyncio.create_task(watched(client, server.build.build_id))
    await server.until(lambda: server.watched_after[1:2] == [4])
    await server.append(*happy_path[4:])
    assert await following == list(range(1, len(happy_path) + 1))
    assert notices[0] == "Connection lost; reconnecting…"


async def test_a_draining_server_is_left_for_the_next(server, client, happy_path):
    await server.append(*happy_path)
    draining = server.status(
        code_pb2.UNAVAILABLE, "draining", server.info("SERVER_DRAINING"), error_details_pb2.RetryInfo()
    )
    server.aborts["WatchBuild"] = [draining, draining]
    assert await watched(client, server.build.build_id) == list(range(1, len(happy_path) + 1))


async def test_a_stream_that_ends_too_early_is_taken_up_again(server, client, happy_path):
    await server.append(*happy_path)
    server.end_after = 3
    assert await watched(client, server.build.build_id) == list(range(1, len(happy_path) + 1))
    assert server.watched_after[:2] == [0, 3]


async def test_a_compacted_cursor_is_refused_with_the_oldest_sequence(server, client):
    compacted = server.info("EVENTS_COMPACTED", buildId="b", oldestSequence="812")
    server.aborts["WatchBuild"] = [server.status(code_pb2.OUT_OF_RANGE, "too old", compacted)]
    with pytest.raises(CommandFailed, match="--after 812 or later"):
        await watched(client, server.build.build_id, after=3)


async def test_a_renewed_token_is_read_at_the_next_connection(server, notices, happy_path):
    await server.append(*happy_path)
    tokens = iter(["old", "new", "new"])
    client = Client(Address("127.0.0.1", server.port), lambda: next(tokens), notice=notices.append)
    refused = server.status(code_pb2.UNAUTHENTICATED, "expired", server.info("UNAUTHENTICATED"))
    server.aborts["WatchBuild"] = [refused]
    assert len(await watched(client, server.build.build_id)) == len(happy_path)
    sent = [metadata["authorization"] for metadata in server.metadata]
    assert sent[:2] == ["Bearer old", "Bearer new"]
    await client.close()


async def test_every_call_carries_one_correlation_id(server, client, happy_path):
    await server.append(*happy_path)
    await client.get_build(server.build.build_id)
    await watched(client, server.build.build_id)
    assert {metadata["x-correlation-id"] for metadata in server.metadata} == {client.correlation_id}


async def test_leaving_with_ctrl_c_says_how_to_come_back_and_never_cancels(server, cli, happy_path):
    await server.append(*happy_path[:7])
    process = await cli.spawn("watch", server.build.build_id, "--json")
    for _ in range(7):
        await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 130
    assert out == b""
    assert "The build goes on" in err.decode()
    assert f"cofounder watch {server.build.build_id} --after 7 --server 127.0.0.1:{server.port}" in err.decode()
    assert "Traceback" not in err.decode()
    assert server.cancels == []


@pytest.mark.parametrize(
    ("mode", "last_word"), [(["--json"], '"sequence":"7"'), ([], "the model")], ids=["json", "human"]
)
async def test_leaving_with_ctrl_c_while_reconnecting_says_how_to_come_back(server, cli, happy_path, mode, last_word):
    await server.append(*happy_path[:7])
    process = await cli.spawn("watch", server.build.build_id, *mode)
    await server.until(lambda: bool(server.watched_after))
    while last_word not in (await process.stdout.readline()).decode():
        pass
    await server.stop()
    while "reconnecting…" not in (await process.stderr.readline()).decode():
        pass
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 130
    assert f"cofounder watch {server.build.build_id} --after" in err.decode()
    assert "Traceback" not in err.decode()
