"""ProjectService over the real wire."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from cofounder.runner.v1 import project_service_pb2 as pb


@pytest.fixture
async def ann(site):
    return await site.user("ann")


@pytest.fixture
async def project(ann):
    return (await ann.call("CreateProject", title="Shop", request_id=str(uuid4()))).project


async def pages(client, method, items, **fields):
    """All items of a list, read two by two."""
    seen, token = [], ""
    while True:
        page = await client.call(method, page_size=2, page_token=token, **fields)
        assert len(getattr(page, items)) <= 2
        seen += getattr(page, items)
        token = page.next_page_token
        if not token:
            return seen


async def test_a_double_click_makes_one_project(ann):
    wanted = {"title": "Shop", "request_id": str(uuid4())}
    first, again = [(await ann.call("CreateProject", **wanted)).project for _ in range(2)]
    assert first == again == (await ann.call("GetProject", project_id=first.project_id)).project
    assert (first.title, first.owner_id, first.role) == ("Shop", "ann", pb.ROLE_OWNER)
    assert first.HasField("create_time")
    refused = await ann.refused("CreateProject", title="Other", request_id=wanted["request_id"])
    assert refused.reason == "REQUEST_ID_REUSED"


async def test_projects_are_listed_newest_first_page_by_page(ann, project):
    made = [
        (await ann.call("CreateProject", title=str(n), request_id=str(uuid4()))).project.project_id for n in range(4)
    ]
    listed = [each.project_id for each in await pages(ann, "ListProjects", "projects")]
    assert sorted(listed, reverse=True) == listed
    assert set(listed) == {project.project_id, *made}


async def test_members_are_listed_by_id_page_by_page(ann, project):
    for user_id in ("zoe", "bob", "carl", "Ünal ☂"):
        fields = {"project_id": project.project_id, "user_id": user_id}
        member = (await ann.call("SetMember", **fields, role=pb.ROLE_VIEWER)).member
        assert (member.user_id, member.role) == (user_id, pb.ROLE_VIEWER)
    listed = await pages(ann, "ListMembers", "members", project_id=project.project_id)
    assert [each.user_id for each in listed] == ["ann", "bob", "carl", "zoe", "Ünal ☂"]
    assert listed[0].role == pb.ROLE_OWNER
    await ann.call("RemoveMember", project_id=project.project_id, user_id="carl")
    assert len((await ann.call("ListMembers", project_id=project.project_id)).members) == 4


async def test_the_owner_cannot_be_unseated(ann, project):
    fields = {"project_id": project.project_id, "user_id": "ann"}
    assert (await ann.refused("SetMember", **fields, role=pb.ROLE_EDITOR)).fields == ["user_id"]
    assert (await ann.refused("RemoveMember", **fields)).fields == ["user_id"]


async def test_a_share_link_is_shown_once_lets_watch_and_ends_when_it_is_revoked(site, ann, project):
    ends = datetime.now(UTC) + timedelta(days=2)
    made = await ann.call("CreateShareLink", project_id=project.project_id, expire_time=stamp(ends))
    assert made.link.expire_time.ToDatetime(UTC) == ends
    guest = await site.client(made.token)
    assert (await guest.call("GetProject", project_id=project.project_id)).project.role == pb.ROLE_VIEWER
    (listed,) = (await ann.call("ListShareLinks", project_id=project.project_id)).links
    assert listed == made.link
    await ann.call("RevokeShareLink", project_id=project.project_id, link_id=made.link.link_id)
    assert (await guest.refused("GetProject", project_id=project.project_id)).reason == "UNAUTHENTICATED"
    assert not (await ann.call("ListShareLinks", project_id=project.project_id)).links


async def test_share_links_are_listed_page_by_page_and_last_seven_days_unless_told_otherwise(ann, project):
    fields = {"project_id": project.project_id}
    made = [(await ann.call("CreateShareLink", **fields)).link for _ in range(3)]
    listed = await pages(ann, "ListShareLinks", "links", **fields)
    assert {each.link_id for each in listed} == {each.link_id for each in made}
    ahead = made[0].expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < ahead <= timedelta(days=7)
    for wrong in (timedelta(days=91), timedelta(seconds=-1)):
        refused = await ann.refused("CreateShareLink", **fields, expire_time=stamp(datetime.now(UTC) + wrong))
        assert refused.fields == ["expire_time"]


async def test_deleting_a_project_is_not_served_yet(ann, project):
    assert (await ann.refused("DeleteProject", project_id=project.project_id)).reason == "NOT_SERVED_YET"


def stamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
