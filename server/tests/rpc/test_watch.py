"""WatchBuild over the real wire: bytes as they are stored, a cursor in every message, an end that is told apart."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from cofounder.runner.v1 import project_service_pb2 as projects_pb
from cofounder.runner.v1 import runner_service_pb2 as pb
from cofounder_server.rpc.serve import Edge


async def read(call, count):
    """The next `count` responses."""
    return [pb.WatchBuildResponse.FromString(await call.read()) for _ in range(count)]


async def test_event_bytes_are_those_of_the_log_and_each_message_carries_the_cursor(site, build, event, last_event):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    call = me.open("WatchBuild", build_id=build_id)
    (first,) = await read(call, 1)
    assert [each.WhichOneof("kind") for each in first.events] == ["build_accepted"]
    stored = [await site.append(build_id, event("a"), event("b")), await site.append(build_id, last_event())]
    raw = []
    while (body := await call.read()) is not grpc.aio.EOF:
        raw.append(body)
    assert await call.code() == grpc.StatusCode.OK
    # Two messages, or one if both appends came before the server looked: the bytes are the stored ones, in any case.
    cursors = [b"\x10\x03", b"\x10\x04"]
    assert b"".join(raw) in (stored[0] + cursors[0] + stored[1] + cursors[1], stored[0] + stored[1] + cursors[1])
    messages = [first, *map(pb.WatchBuildResponse.FromString, raw)]
    cursor = 0
    for message in messages:
        sequences = [each.sequence for each in message.events]
        assert sequences == list(range(cursor + 1, cursor + 1 + len(sequences)))
        cursor += len(sequences)
        assert message.through_sequence == cursor
    assert cursor == 4


async def test_resumable_a_watch_cut_after_any_event_goes_on_with_the_next(site, build, event, last_event):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    await site.append(build_id, *(event(str(n)) for n in range(5)))
    await site.append(build_id, event("6"), last_event())
    for after in range(8):
        responses = await me.call("WatchBuild", build_id=build_id, after_sequence=after)
        assert [each.sequence for response in responses for each in response.events] == list(range(after + 1, 9))


async def test_terminated_a_watch_after_the_terminal_event_ends_with_ok_at_once(site, build, last_event):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    await site.append(build_id, last_event())
    assert await me.call("WatchBuild", build_id=build_id, after_sequence=2) == []


async def test_c7_bookmarkable_a_quiet_watch_says_where_it_is(open_site):
    site = await open_site(progress_seconds=0.1)
    me = await site.user("me")
    started = await me.call("StartBuild", goal="g", request_id=str(uuid4()))
    call = me.open("WatchBuild", build_id=started.build.build_id, after_sequence=1)
    for message in await read(call, 3):
        assert (len(message.events), message.through_sequence) == (0, 1)
    call.cancel()


async def test_c3_a_cursor_beyond_the_log_or_behind_it_is_refused_with_the_nearest_sequence(site, build, event):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    await site.append(build_id, event("a"), event("b"))
    await site.pool.execute("update build_heads set oldest = 3")
    for name in ("WatchBuild", "ListBuildEvents", "AuthorizeWatch"):
        ahead = await me.refused(name, build_id=build_id, after_sequence=4)
        assert (ahead.code, ahead.reason) == (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE")
        assert ahead.info.metadata == {"buildId": build_id, "lastSequence": "3"}
        behind = await me.refused(name, build_id=build_id, after_sequence=1)
        assert (behind.code, behind.reason) == (grpc.StatusCode.OUT_OF_RANGE, "EVENTS_COMPACTED")
        assert behind.info.metadata == {"buildId": build_id, "oldestSequence": "3"}


async def test_a_disconnect_never_cancels(site, build, event, last_event):
    me = await site.user("me")
    build_id = (await build(me)).build_id
    call = me.open("WatchBuild", build_id=build_id)
    await read(call, 1)
    call.cancel()
    await site.append(build_id, event("goes on"))
    await site.append(build_id, last_event())
    kinds = [
        each.WhichOneof("kind")
        for response in await me.call("WatchBuild", build_id=build_id)
        for each in response.events
    ]
    assert kinds == ["build_accepted", "text_delta", "build_succeeded"]


async def ended(call):
    """Reads a watch to its end and returns the code it ends with."""
    try:
        async with asyncio.timeout(20):
            while await call.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.fixture
async def hasty(open_site):
    """A server that asks again for the right to watch five times a second, and a shared project on it."""
    site = await open_site(progress_seconds=0.1, reauthorize_seconds=0.2)
    ann = await site.user("ann")
    project_id = (await ann.call("CreateProject", title="Shop", request_id=str(uuid4()))).project.project_id
    started = await ann.call("StartBuild", project_id=project_id, goal="g", request_id=str(uuid4()))
    return site, ann, project_id, started.build.build_id


async def test_d3_a_watch_ends_when_the_watchers_role_is_taken_away(hasty):
    site, ann, project_id, build_id = hasty
    await ann.call("SetMember", project_id=project_id, user_id="bob", role=projects_pb.ROLE_VIEWER)
    call = (await site.user("bob")).open("WatchBuild", build_id=build_id)
    await read(call, 4)
    await ann.call("RemoveMember", project_id=project_id, user_id="bob")
    assert await ended(call) == grpc.StatusCode.NOT_FOUND


async def test_d3_a_watch_ends_when_its_share_link_is_revoked(hasty):
    site, ann, project_id, build_id = hasty
    made = await ann.call("CreateShareLink", project_id=project_id)
    call = (await site.client(made.token)).open("WatchBuild", build_id=build_id)
    await read(call, 4)
    await ann.call("RevokeShareLink", project_id=project_id, link_id=made.link.link_id)
    assert await ended(call) == grpc.StatusCode.UNAUTHENTICATED


async def test_d3_a_watch_ends_when_its_user_is_suspended(hasty):
    site, ann, _, build_id = hasty
    call = ann.open("WatchBuild", build_id=build_id)
    await read(call, 4)
    await site.pool.execute("insert into user_settings (user_id, suspended) values ('ann', true)")
    assert await ended(call) == grpc.StatusCode.PERMISSION_DENIED


async def test_d3_also_a_busy_watch_ends(hasty, event):
    site, ann, project_id, build_id = hasty
    await ann.call("SetMember", project_id=project_id, user_id="bob", role=projects_pb.ROLE_VIEWER)
    call = (await site.user("bob")).open("WatchBuild", build_id=build_id)
    await read(call, 1)
    await ann.call("RemoveMember", project_id=project_id, user_id="bob")
    writing = asyncio.create_task(keep_writing(site, build_id, event))
    assert await ended(call) == grpc.StatusCode.NOT_FOUND
    writing.cancel()


async def keep_writing(site, build_id, event):
    while True:
        await site.append(build_id, event("more"))
        await asyncio.sleep(0.02)


async def test_c8_a_reader_that_takes_nothing_is_cut_and_resumes_without_loss(open_site, event, last_event, refused):
    site = await open_site(edge=Edge(write_seconds=0.3))
    me = await site.user("me")
    build_id = (await me.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id
    watch = me.open("WatchBuild", build_id=build_id)
    cursor = pb.WatchBuildResponse.FromString(await watch.read()).through_sequence
    for _ in range(40):
        await site.append(build_id, event("x" * 200_000))
    await site.append(build_id, last_event())
    async with asyncio.timeout(30):
        while site.server._drain._calls:
            await asyncio.sleep(0.01)
    try:
        while (body := await watch.read()) is not grpc.aio.EOF:
            cursor = pb.WatchBuildResponse.FromString(body).through_sequence
        raise AssertionError("it ended without an error")
    except grpc.aio.AioRpcError as error:
        told = refused(error)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "SLOW_READER")
    rest = await me.call("WatchBuild", build_id=build_id, after_sequence=cursor)
    assert [one.sequence for answer in rest for one in answer.events] == list(range(cursor + 1, 43))
