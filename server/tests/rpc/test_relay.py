"""RelayService over the real wire: one stream carries many builds, and never a gap that is not said."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest

from cofounder.gateway.v1 import relay_service_pb2 as pb
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server.identity import tokens


@pytest.fixture
async def gateway(site):
    return await site.gateway()


@pytest.fixture
async def me(site):
    return await site.user("me")


class Stream:
    """A RelayBuilds stream and what it has carried, by build."""

    def __init__(self, call):
        self.call = call
        self.messages = []

    async def ask(self, *, follow=(), unfollow=()):
        await self.call.write(pb.RelayBuildsRequest(follow_build_ids=follow, unfollow_build_ids=unfollow))

    async def until(self, condition):
        """Reads until `condition` holds of the stretches read so far, and returns them."""
        async with asyncio.timeout(30):
            while not condition(self.stretches):
                message = await self.call.read()
                assert message is not grpc.aio.EOF
                self.messages.append(message)
        return self.stretches

    async def follow(self, *build_ids):
        await self.ask(follow=build_ids)
        await self.until(lambda seen: {each.build_id for each in seen} >= set(build_ids))

    @property
    def stretches(self):
        return [stretch for message in self.messages for stretch in message.stretches]

    def of(self, build_id):
        return [stretch for stretch in self.stretches if stretch.build_id == build_id]


@pytest.fixture
async def relay(gateway):
    stream = Stream(gateway.relay())
    yield stream
    stream.call.cancel()


async def test_a_build_followed_is_answered_by_where_it_stands_and_then_by_its_bytes(
    site, me, build, relay, event, last_event
):
    build_id = (await build(me)).build_id
    await relay.follow(build_id)
    (begun,) = relay.stretches
    assert (begun.after_sequence, begun.last_sequence, begun.events, begun.over) == (1, 1, b"", False)
    stored = [await site.append(build_id, event("a"), event("b")), await site.append(build_id, last_event())]
    seen = (await relay.until(lambda seen: seen[-1].over))[1:]
    assert b"".join(each.events for each in seen) == b"".join(stored)
    assert seen[0].after_sequence == 1
    assert all(one.last_sequence == next_.after_sequence for one, next_ in itertools.pairwise(seen))
    assert seen[-1].last_sequence == 4


async def test_what_happens_in_many_builds_while_the_gateway_is_busy_comes_in_one_message(
    site, me, build, relay, event
):
    builds = [(await build(me)).build_id for _ in range(5)]
    await relay.follow(*builds)
    # One message is on its way while nobody reads; what follows is gathered.
    for _ in range(3):
        for build_id in builds:
            await site.append(build_id, event("x"))
    await relay.until(lambda seen: all(relay.of(each)[-1].last_sequence == 4 for each in builds))
    for build_id in builds:
        cursor = 1
        for stretch in relay.of(build_id)[1:]:
            assert stretch.after_sequence == cursor
            events = WatchBuildResponse.FromString(stretch.events).events
            assert [each.sequence for each in events] == list(range(cursor + 1, stretch.last_sequence + 1))
            cursor = stretch.last_sequence


async def test_a_lost_wake_up_shows_as_a_gap_that_the_log_fills(open_site, event):
    site = await open_site(poll_seconds=0.1)
    me, gateway = await site.user("me"), await site.gateway()
    build_id = (await me.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id
    relay = Stream(gateway.relay())
    await relay.follow(build_id)
    stored = await site.append(build_id, event("a"), event("b"), publish=False)
    seen = await relay.until(lambda seen: seen[-1].last_sequence == 3)
    assert (seen[-1].after_sequence, seen[-1].events) == (3, b"")
    answer = await gateway.call("ReadBuildLog", build_id=build_id, after_sequence=1)
    assert (answer.stretch.events, answer.stretch.last_sequence, answer.head_sequence) == (stored, 3, 3)
    published = await site.append(build_id, event("c"))
    seen = await relay.until(lambda seen: seen[-1].last_sequence == 4)
    # Behind a gap the relay goes on: with the bytes, or with the next gap if the poll was quicker than the wire.
    assert (seen[-1].after_sequence, seen[-1].events) in ((3, published), (4, b""))
    relay.call.cancel()


async def test_a_build_that_is_over_is_said_to_be_over_once(site, me, build, relay, event, last_event):
    over, open_ = (await build(me)).build_id, (await build(me)).build_id
    await site.append(over, last_event())
    await relay.follow(over, open_)
    await site.append(open_, event("x"))
    await relay.until(lambda _: relay.of(open_)[-1].last_sequence == 2)
    (only,) = relay.of(over)
    assert (only.after_sequence, only.last_sequence, only.over) == (2, 2, True)


async def test_a_build_that_ends_is_let_go_and_may_be_asked_for_again(site, me, build, relay, last_event):
    build_id = (await build(me)).build_id
    await relay.follow(build_id)
    await site.append(build_id, last_event())
    await relay.until(lambda seen: seen[-1].over)
    await relay.ask(follow=[build_id])
    await relay.until(lambda seen: len(seen) == 3)
    assert [(each.last_sequence, each.over) for each in relay.stretches] == [(1, False), (2, True), (2, True)]


async def test_what_cannot_be_followed_is_said_by_build_and_the_others_go_on(me, build, relay):
    build_id, absent = (await build(me)).build_id, str(uuid4())
    await relay.ask(follow=[absent, "no id", build_id])
    await relay.until(lambda seen: {each.build_id for each in seen} == {absent, "no id", build_id})
    assert relay.of(absent)[0].error.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert relay.of("no id")[0].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert not relay.of(build_id)[0].HasField("error")


async def test_a_build_is_followed_once_however_often_it_is_asked_for(site, me, build, relay, event):
    build_id = (await build(me)).build_id
    await relay.follow(*[build_id] * 3)
    await relay.ask(follow=[build_id] * 3)
    await relay.ask(follow=[build_id])
    stored = await site.append(build_id, event("x"))
    seen = await relay.until(lambda seen: seen[-1].last_sequence == 2)
    assert [each.events for each in seen] == [b"", stored]


async def test_a_build_unfollowed_is_carried_no_more_and_may_be_followed_again(site, me, build, relay, event):
    quiet, other = (await build(me)).build_id, (await build(me)).build_id
    await relay.follow(quiet, other)
    await relay.ask(unfollow=[quiet, quiet, str(uuid4())])
    # Requests are obeyed in order: once this one is answered, the one before took effect.
    third = (await build(me)).build_id
    await relay.follow(third)
    await site.append(quiet, event("unseen"))
    await site.append(other, event("seen"))
    await relay.until(lambda _: relay.of(other)[-1].last_sequence == 2)
    assert [each.last_sequence for each in relay.of(quiet)] == [1]
    await relay.ask(follow=[quiet])
    await relay.until(lambda _: relay.of(quiet)[-1].last_sequence == 2)
    stored = await site.append(quiet, event("seen again"))
    await relay.until(lambda _: relay.of(quiet)[-1].last_sequence == 3)
    assert relay.of(quiet)[-1].events == stored


async def test_the_gateways_last_word_ends_the_relay(gateway, relay):
    await relay.call.done_writing()
    assert await relay.call.read() is grpc.aio.EOF
    assert await relay.call.code() == grpc.StatusCode.OK


async def test_d3_a_relay_ends_with_its_service_token(open_site, key):
    site = await open_site(reauthorize_seconds=0.1)
    past = datetime.now(UTC) - timedelta(seconds=58)
    issued = tokens.issue_service_token(key, service="gateway", lifetime=1, now=past)
    call = (await site.client(issued.token)).relay()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_read_of_the_log_is_bounded_and_says_where_the_log_ends(site, me, build, gateway, event, last_event):
    build_id = (await build(me)).build_id
    stored = [await site.append(build_id, event("x" * 1000)) for _ in range(3)]
    await site.append(build_id, last_event())
    part = await gateway.call("ReadBuildLog", build_id=build_id, after_sequence=1, max_bytes=1)
    assert (part.stretch.events, part.stretch.after_sequence, part.stretch.last_sequence) == (stored[0], 1, 2)
    assert (part.stretch.over, part.head_sequence) == (False, 5)
    rest = await gateway.call("ReadBuildLog", build_id=build_id, after_sequence=2)
    assert (rest.stretch.last_sequence, rest.stretch.over) == (5, True)
    end = await gateway.call("ReadBuildLog", build_id=build_id, after_sequence=5)
    assert (end.stretch.events, end.stretch.after_sequence, end.stretch.last_sequence) == (b"", 5, 5)


async def test_a_session_is_told_whom_it_speaks_for_and_until_when(site, me, gateway):
    session = await me.call("AuthorizeSession")
    assert session.user_id == "me"
    assert session.expire_time.ToDatetime(UTC) > datetime.now(UTC)
    project = (await me.call("CreateProject", title="P", request_id=str(uuid4()))).project
    made = await me.call("CreateShareLink", project_id=project.project_id)
    linked = await (await site.client(made.token)).call("AuthorizeSession")
    assert (linked.user_id, linked.expire_time) == ("", made.link.expire_time)
    assert (await gateway.refused("AuthorizeSession")).code == grpc.StatusCode.PERMISSION_DENIED


async def test_a_watcher_is_admitted_for_a_minute_but_never_beyond_its_token(site, me, build):
    build_id = (await build(me)).build_id
    admitted = await me.call("AuthorizeWatch", build_id=build_id, after_sequence=1)
    assert admitted.last_sequence == 1
    ahead = admitted.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(0) < ahead <= timedelta(seconds=60)
    brief = await site.user("me", lifetime=5)
    ends = (await brief.call("AuthorizeSession")).expire_time
    assert (await brief.call("AuthorizeWatch", build_id=build_id)).expire_time == ends


async def test_a_gateway_signs_people_in_on_a_machine_of_their_own(site, gateway):
    issued = await gateway.call("IssueDevelopmentToken")
    assert (await (await site.client(issued.token)).call("AuthorizeSession")).user_id == "me"
    ann = await site.client((await gateway.call("IssueDevelopmentToken", user_id="ann")).token)
    assert (await ann.call("AuthorizeSession")).user_id == "ann"
    assert (await gateway.refused("IssueDevelopmentToken", user_id="a b")).fields == ["user_id"]


async def test_in_production_nobody_is_signed_in_so(open_site):
    site = await open_site(development_key=None)
    refused = await (await site.gateway()).refused("IssueDevelopmentToken")
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED_YET")
