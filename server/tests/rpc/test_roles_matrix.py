"""Who may call what: every method of the contract, by every kind of caller (D-4, D-5, example 145)."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import message_factory

from cofounder.runner.v1 import project_service_pb2 as projects_pb
from cofounder.usage.v1 import usage_service_pb2 as usage_pb

VIEWERS, EDITORS, OWNER = {"owner", "editor", "viewer", "link"}, {"owner", "editor"}, {"owner"}
# Methods about a project or a build, and who may call them. Whoever has another role in it is PERMISSION_DENIED, and
# for whoever has none it does not exist.
ABOUT = {
    "StartBuild": EDITORS,
    "GetBuild": VIEWERS,
    "ListBuilds": VIEWERS,
    "WatchBuild": VIEWERS,
    "ListBuildEvents": VIEWERS,
    "CancelBuild": EDITORS,
    "GetProject": VIEWERS,
    "ListMembers": VIEWERS - {"link"},
    "SetMember": OWNER,
    "RemoveMember": OWNER,
    "CreateShareLink": EDITORS,
    "ListShareLinks": EDITORS,
    "RevokeShareLink": EDITORS,
    "AuthorizeWatch": VIEWERS,
}
USERS = {"owner", "editor", "viewer", "stranger", "admin"}
# Methods about nothing of anybody else, and who may call them; others are PERMISSION_DENIED.
PLAIN = {
    "CreateProject": USERS,
    "ListProjects": {*USERS, "link", "other link", "service"},
    "AuthorizeSession": {*USERS, "link", "other link"},
    "RelayBuilds": {"service"},
    "ReadBuildLog": {"service"},
    "IssueDevelopmentToken": {"service"},
    "GetUserSettings": {"admin"},
    "UpdateUserSettings": {"admin"},
}
# Methods about a user: each may ask about themselves, admins about anybody, and other users do not exist.
USAGE = ("GetUsage", "WatchUsage", "SummarizeUsage", "ListUsageRecords", "ExportUsage")
WITHOUT_A_ROLE = ("stranger", "other link", "service", "admin")


@dataclass
class World:
    """A project with a build, callers of every kind, and requests about it."""

    site: Any
    methods: dict[str, Any]
    callers: dict[str, Any]
    ids: dict[str, str]
    refused: type[Exception]

    def request(self, name: str, **changes: Any) -> Any:
        """A valid request of the method, about the project and its build; with ids exchanged by `changes`."""
        fields = {
            **self.ids,
            "goal": "g",
            "title": "T",
            "request_id": str(uuid4()),
            "user_id": "dora",
            "role": projects_pb.ROLE_VIEWER,
            "settings": usage_pb.UserSettings(user_id="dora", plan_slug="partner"),
            "reason": "asked for",
            **changes,
        }
        kind = message_factory.GetMessageClass(self.methods[name].input_type)
        return kind(**{field: value for field, value in fields.items() if field in kind.DESCRIPTOR.fields_by_name})


@pytest.fixture
async def world(site, methods, refused):
    owner, stranger = await site.user("ann"), await site.user("eve")
    project_id = (await owner.call("CreateProject", title="Shop", request_id=str(uuid4()))).project.project_id
    for user_id, role in (("ed", projects_pb.ROLE_EDITOR), ("vic", projects_pb.ROLE_VIEWER)):
        await owner.call("SetMember", project_id=project_id, user_id=user_id, role=role)
    started = await owner.call("StartBuild", project_id=project_id, goal="g", request_id=str(uuid4()))
    # Over, so that watching it ends and cancelling it changes nothing.
    await owner.call("CancelBuild", build_id=started.build.build_id)
    made = await owner.call("CreateShareLink", project_id=project_id)
    elsewhere = (await stranger.call("CreateProject", title="Own", request_id=str(uuid4()))).project.project_id
    other = await stranger.call("CreateShareLink", project_id=elsewhere)
    await site.pool.execute("insert into user_settings (user_id, admin) values ('root', true)")
    callers = {
        "admin": await site.user("root"),
        "owner": owner,
        "editor": await site.user("ed"),
        "viewer": await site.user("vic"),
        "link": await site.client(made.token),
        "stranger": stranger,
        "other link": await site.client(other.token),
        "service": await site.gateway(),
    }
    ids = {"project_id": project_id, "build_id": started.build.build_id}
    return World(site, methods, callers, ids, refused)


def expected(name: str, who: str) -> str:
    if name in ABOUT:
        denied = "NOT_FOUND" if who in WITHOUT_A_ROLE else "ROLE_TOO_LOW"
        return "OK" if who in ABOUT[name] else denied
    if name in PLAIN:
        return "OK" if who in PLAIN[name] else "ROLE_TOO_LOW"
    if name in USAGE:
        # `request` asks about somebody else.
        return {"admin": "OK"}.get(who, "NOT_FOUND" if who in USERS else "ROLE_TOO_LOW")
    return "NOT_SERVED_YET"


async def answered(world, who, name, request):
    try:
        if name == "WatchUsage":
            # It does not end by itself.
            return await first_of(world.callers[who].open(name, request), world.refused)
        await world.callers[who].call(name, request)
    except Exception as refused:
        return refused
    return None


async def first_of(call, refused):
    """Returns None once a stream says something, or what it is refused with."""
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return refused(error)
    call.cancel()
    return None


async def test_d4_every_method_checks_the_role_of_every_kind_of_caller(world):
    wrong = {}
    for name in world.methods:
        for who in world.callers:
            changes = {}
            if name == "RevokeShareLink":
                link = await world.callers["owner"].call("CreateShareLink", project_id=world.ids["project_id"])
                changes["link_id"] = link.link.link_id
            refused = await answered(world, who, name, world.request(name, **changes))
            got = refused.reason if refused else "OK"
            if got != expected(name, who):
                wrong[name, who] = got
    assert not wrong


async def test_d4_what_is_foreign_is_answered_as_what_does_not_exist(world):
    told_apart = []
    for name in ABOUT:
        for who in WITHOUT_A_ROLE:
            absent = {"project_id": str(uuid4()), "build_id": str(uuid4())}
            link_id = str(uuid4())
            foreign = await answered(world, who, name, world.request(name, link_id=link_id))
            nothing = await answered(world, who, name, world.request(name, link_id=link_id, **absent))
            ids = [world.ids[field] for field in ("project_id", "build_id")]
            if foreign.without(*ids) != nothing.without(*absent.values()):
                told_apart.append((name, who, foreign, nothing))
    assert not told_apart


async def test_d4_everybody_who_is_a_user_may_ask_what_they_used_themselves(world):
    for name in USAGE:
        for who in world.callers:
            for build_id in (world.ids["build_id"], ""):
                request = world.request(name, user_id="", build_id=build_id)
                refused = await answered(world, who, name, request)
                assert (refused.reason if refused else "OK") == ("OK" if who in USERS else "ROLE_TOO_LOW"), (name, who)


async def test_d4_a_refused_command_changes_nothing(world):
    async def state():
        tables = ("projects", "project_members", "share_links", "builds", "build_batches", "user_settings")
        return {table: await world.site.pool.fetch(f"select * from {table} order by 1, 2") for table in tables}

    before = await state()
    for name in (*ABOUT, *PLAIN, *USAGE):
        for who in world.callers:
            if expected(name, who) != "OK":
                await answered(world, who, name, world.request(name, link_id=str(uuid4())))
    assert await state() == before


async def test_a_share_link_of_another_project_cannot_be_revoked_through_ones_own(world):
    eve = world.callers["stranger"]
    own = (await eve.call("ListProjects")).projects[0].project_id
    (link,) = (await world.callers["owner"].call("ListShareLinks", project_id=world.ids["project_id"])).links
    foreign = await eve.refused("RevokeShareLink", project_id=own, link_id=link.link_id)
    absent = str(uuid4())
    nothing = await eve.refused("RevokeShareLink", project_id=own, link_id=absent)
    assert foreign.without(link.link_id) == nothing.without(absent)
    assert (await world.callers["link"].call("GetProject", project_id=world.ids["project_id"])).project.role == 1


async def test_a_link_holder_and_a_service_find_only_what_is_theirs(world):
    for who, projects in (("link", [world.ids["project_id"]]), ("service", [])):
        client = world.callers[who]
        assert [each.project_id for each in (await client.call("ListProjects")).projects] == projects
        builds = [world.ids["build_id"]] if projects else []
        assert [each.build_id for each in (await client.call("ListBuilds")).builds] == builds


async def test_example_113_a_page_token_of_another_caller_or_list_is_refused(world):
    owner, editor = world.callers["owner"], world.callers["editor"]
    fields = {"build_id": world.ids["build_id"], "page_size": 1}
    token = (await owner.call("ListBuildEvents", **fields)).next_page_token
    assert len((await owner.call("ListBuildEvents", **fields, page_token=token)).events) == 1
    assert (await editor.refused("ListBuildEvents", **fields, page_token=token)).fields == ["page_token"]
    refused = await owner.refused("ListMembers", project_id=world.ids["project_id"], page_token=token)
    assert refused.fields == ["page_token"]


async def test_example_145_the_same_request_id_by_two_founders_makes_two_builds(world):
    request_id, goal = str(uuid4()), "the same"
    one = await world.callers["owner"].call("StartBuild", goal=goal, request_id=request_id)
    two = await world.callers["stranger"].call("StartBuild", goal=goal, request_id=request_id)
    assert one.created
    assert two.created
    assert one.build.project_id != two.build.project_id
