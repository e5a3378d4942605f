"""Projects, members and links over real Postgres."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from cofounder_server import clock, errors
from cofounder_server.builds.ids import uuid7
from cofounder_server.identity.caller import Identity, Kind
from cofounder_server.identity.roles import Role
from cofounder_server.projects.members import Members
from cofounder_server.projects.sharing import Sharing
from cofounder_server.projects.store import Projects

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def user(user_id: str) -> Identity:
    return Identity(user_id=user_id, kind=Kind.USER, expire_time=LATER)


@pytest.fixture
def wall():
    return clock.VirtualClock(NOW)


@pytest.fixture
def projects(pool, wall):
    return Projects(pool, wall=wall, new_id=uuid7)


@pytest.fixture
def members(pool, wall):
    return Members(pool, wall=wall)


@pytest.fixture
def sharing(pool, wall):
    return Sharing(pool, wall=wall, new_id=uuid7)


@pytest.fixture
async def project(projects):
    return await projects.create("ann", title="A shop", request_id=uuid4())


async def test_a_double_click_makes_one_project(projects, pool):
    request_id = uuid4()
    made = await asyncio.gather(*(projects.create("ann", title="A shop", request_id=request_id) for _ in range(8)))
    assert len({project.project_id for project in made}) == 1
    assert await pool.fetchval("select count(*) from projects") == 1
    assert await pool.fetchval("select count(*) from project_members") == 1


async def test_a_request_id_is_one_owners_and_means_one_thing(projects):
    request_id = uuid4()
    first = await projects.create("ann", title="A shop", request_id=request_id)
    other = await projects.create("bob", title="A shop", request_id=request_id)
    assert first.project_id != other.project_id
    with pytest.raises(errors.RequestIdReused):
        await projects.create("ann", title="Another", request_id=request_id)


async def test_the_first_project_is_made_exactly_once_under_concurrency(projects, pool):
    found = await asyncio.gather(*(projects.first("ann") for _ in range(8)))
    assert len({project.project_id for project in found}) == 1
    assert await pool.fetchval("select count(*) from projects") == 1
    assert found[0].role is Role.OWNER


async def test_the_first_project_is_the_oldest_one_owned(projects, members, project, wall):
    await wall.sleep(1)
    other = await projects.create("ann", title="Later", request_id=uuid4())
    foreign = await projects.create("bob", title="Foreign", request_id=uuid4())
    await members.set(foreign.project_id, "ann", Role.EDITOR)
    assert (await projects.first("ann")).project_id == project.project_id != other.project_id


async def test_projects_are_listed_newest_first_page_by_page_with_the_callers_role(projects, members, wall):
    made = []
    for number in range(5):
        await wall.sleep(1)
        made.append(await projects.create("ann" if number % 2 else "bob", title=str(number), request_id=uuid4()))
    for project in made[::2]:
        await members.set(project.project_id, "ann", Role.VIEWER)
    seen, before = [], None
    while page := await projects.list(user("ann"), before=before, limit=2):
        seen += page
        before = page[-1].project_id
    assert [project.title for project in seen] == ["4", "3", "2", "1", "0"]
    assert [project.role for project in seen[:2]] == [Role.VIEWER, Role.OWNER]
    assert set(await projects.ids(user("ann"))) == {project.project_id for project in made}
    assert await projects.list(user("eve"), before=None, limit=2) == []


async def test_who_has_no_role_finds_nothing(projects, project):
    assert (await projects.get(user("ann"), project.project_id)).title == "A shop"
    assert await projects.get(user("eve"), project.project_id) is None
    assert await projects.get(user("ann"), uuid4()) is None
    assert await projects.role_of(user("eve"), project.project_id) is None


async def test_a_link_and_a_service_see_what_is_theirs_only(projects, project):
    link = Identity(user_id="", kind=Kind.SHARE_LINK, project_id=project.project_id, expire_time=LATER)
    service = Identity(user_id="ann", kind=Kind.SERVICE, expire_time=LATER)
    assert [each.role for each in await projects.list(link, before=None, limit=9)] == [Role.VIEWER]
    assert await projects.ids(link) == [project.project_id]
    assert await projects.role_of(service, project.project_id) is None
    assert await projects.list(service, before=None, limit=9) == []
    assert await projects.ids(service) == []


async def test_a_member_is_set_changed_listed_and_removed(members, projects, project):
    for role in (Role.VIEWER, Role.EDITOR, Role.EDITOR):
        assert (await members.set(project.project_id, "bob", role)).role is role
        assert await projects.role_of(user("bob"), project.project_id) is role
    listed = await members.list(project.project_id, after="", limit=9)
    assert [(member.user_id, member.role) for member in listed] == [("ann", Role.OWNER), ("bob", Role.EDITOR)]
    assert [member.user_id for member in await members.list(project.project_id, after="ann", limit=1)] == ["bob"]
    await members.remove(project.project_id, "bob")
    await members.remove(project.project_id, "bob")
    assert await projects.role_of(user("bob"), project.project_id) is None


async def test_a_project_keeps_its_one_owner(members, projects, project):
    refusals = [
        members.set(project.project_id, "ann", Role.VIEWER),
        members.set(project.project_id, "bob", Role.OWNER),
        members.remove(project.project_id, "ann"),
    ]
    for refusal in refusals:
        with pytest.raises(errors.InvalidRequest):
            await refusal
    assert await projects.role_of(user("ann"), project.project_id) is Role.OWNER
    assert await projects.role_of(user("bob"), project.project_id) is None


async def test_links_are_listed_newest_first_until_they_are_revoked(sharing, project, wall):
    made = []
    for _ in range(3):
        await wall.sleep(1)
        made.append((await sharing.create(project.project_id, creator_id="ann"))[0])
    listed = await sharing.list(project.project_id, before=None, limit=2)
    assert [link.link_id for link in listed] == [made[2].link_id, made[1].link_id]
    rest = await sharing.list(project.project_id, before=listed[-1].link_id, limit=2)
    assert [link.link_id for link in rest] == [made[0].link_id]
    await sharing.revoke(project.project_id, made[1].link_id)
    await sharing.revoke(project.project_id, made[1].link_id)
    assert len(await sharing.list(project.project_id, before=None, limit=9)) == 2


async def test_a_link_of_another_project_cannot_be_revoked(sharing, projects, project):
    other = await projects.create("bob", title="Other", request_id=uuid4())
    link, _ = await sharing.create(other.project_id, creator_id="bob")
    for link_id in (link.link_id, uuid4()):
        with pytest.raises(errors.NotFound):
            await sharing.revoke(project.project_id, link_id)
    assert await sharing.list(other.project_id, before=None, limit=9)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=-1), timedelta(days=90, seconds=1)])
async def test_a_link_ends_within_ninety_days(sharing, project, ahead):
    with pytest.raises(errors.InvalidRequest) as refused:
        await sharing.create(project.project_id, creator_id="ann", expire_time=NOW + ahead)
    assert list(refused.value.violations) == ["expire_time"]
