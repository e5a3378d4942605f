"""RunnerService over the real wire: starting, listing and cancelling builds."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from cofounder.runner.v1 import project_service_pb2 as projects_pb
from cofounder.runner.v1 import runner_service_pb2 as pb
from cofounder.runner.v1.build_pb2 import BUILD_STATE_CANCELLED


async def test_a_founder_without_a_project_starts_a_build_and_sees_it(site, build):
    me = await site.user("me", plan="partner")
    started = await build(me, goal="a url shortener")
    assert started.plan_slug == "partner"
    got = await me.call("GetBuild", build_id=started.build_id)
    assert got.build.goal == "a url shortener"
    assert got.build.last_sequence == got.snapshot.through_sequence == 1
    assert [each.build_id for each in (await me.call("ListBuilds")).builds] == [started.build_id]


async def test_a_double_click_starts_one_build(site):
    me = await site.user("me")
    wanted = {"goal": "a thing", "request_id": str(uuid4())}
    answers = await asyncio.gather(*(me.call("StartBuild", **wanted) for _ in range(8)))
    assert len({answer.build.build_id for answer in answers}) == 1
    assert [answer.created for answer in answers].count(True) == 1
    refused = await me.refused("StartBuild", goal="another", request_id=wanted["request_id"])
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refused.info.metadata == {"requestId": wanted["request_id"]}


async def test_the_plan_of_a_build_is_its_projects_owners(site, build):
    owner, editor = await site.user("ann", plan="cto_scale"), await site.user("bob", plan="partner")
    project = (await owner.call("CreateProject", title="Shop", request_id=str(uuid4()))).project
    await owner.call("SetMember", project_id=project.project_id, user_id="bob", role=projects_pb.ROLE_EDITOR)
    started = await build(editor, project_id=project.project_id)
    assert (started.plan_slug, started.creator_id) == ("cto_scale", "bob")


async def test_builds_are_listed_newest_first_page_by_page(site, build):
    me = await site.user("me")
    started = [(await build(me, goal=str(number))).build_id for number in range(5)]
    other = (await me.call("CreateProject", title="Other", request_id=str(uuid4()))).project.project_id
    elsewhere = (await build(me, project_id=other)).build_id
    seen, token = [], ""
    while True:
        page = await me.call("ListBuilds", page_size=2, page_token=token)
        seen += [each.build_id for each in page.builds]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted([*started, elsewhere])
    assert seen == sorted(seen, reverse=True)
    assert [each.build_id for each in (await me.call("ListBuilds", project_id=other)).builds] == [elsewhere]


async def test_a_page_of_builds_with_long_goals_stays_below_what_a_message_may_hold(site, build):
    me = await site.user("me", plan="cto_scale")
    longest = "\U0001f680" * 20_000
    started = [(await build(me, goal=longest)).build_id for _ in range(60)]
    seen, token = [], ""
    while True:
        page = await me.call("ListBuilds", page_size=500, page_token=token)
        assert page.ByteSize() <= 1024 * 1024 + 1024
        seen += [each.build_id for each in page.builds]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(started, reverse=True)


async def test_cancel_is_durable_and_answers_with_the_sequence_at_which_it_took_effect(site, build):
    me = await site.user("me")
    started = await build(me)
    first = await me.call("CancelBuild", build_id=started.build_id)
    again = await me.call("CancelBuild", build_id=started.build_id)
    assert first.build.state == again.build.state == BUILD_STATE_CANCELLED
    assert (first.sequence, again.sequence) == (2, 3)
    events = (await me.call("ListBuildEvents", build_id=started.build_id)).events
    assert [event.WhichOneof("kind") for event in events] == ["build_accepted", "cancel_requested", "build_cancelled"]


@pytest.fixture
async def written(site, build, event, last_event):
    """A client, a finished build of 21 events in batches of many sizes, and the bytes of its log."""
    me = await site.user("me")
    started = (await build(me)).build_id
    for size in (1, 7, 3, 8):
        await site.append(started, *(event(f"{size} {n} … \U0001f680") for n in range(size)))
    await site.append(started, last_event())
    response = b"".join([body async for body in me.open("WatchBuild", build_id=started)])
    return me, started, pb.WatchBuildResponse.FromString(response)


@pytest.mark.parametrize("size", [1, 2, 5, 20, 21, 1000])
async def test_events_are_listed_page_by_page_as_they_are_stored(written, size):
    me, build_id, whole = written
    seen, token, pages = [], "", 0
    while True:
        page = await me.call("ListBuildEvents", build_id=build_id, page_size=size, page_token=token)
        assert len(page.events) <= size
        seen += page.events
        pages += 1
        token = page.next_page_token
        if not token:
            break
    assert [event.sequence for event in seen] == list(range(1, 22))
    assert [event.SerializeToString() for event in seen] == [event.SerializeToString() for event in whole.events]
    assert pages == -(-21 // size)


async def test_events_are_listed_after_a_sequence(written):
    me, build_id, _ = written
    page = await me.call("ListBuildEvents", build_id=build_id, after_sequence=19)
    assert [event.sequence for event in page.events] == [20, 21]
    empty = await me.call("ListBuildEvents", build_id=build_id, after_sequence=21)
    assert (len(empty.events), empty.next_page_token) == (0, "")
