"""Settings: admins alone see and change them, and every change is on record with who made it and why."""

import asyncio
import json
from uuid import uuid4

import grpc
import pytest

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server.builds.ids import uuid7
from cofounder_server.clock import WallClock
from cofounder_server.identity.machine_keys import ME
from cofounder_server.usage.settings import OPERATOR, Settings


@pytest.fixture
def operator(site):
    return Settings(site.pool, wall=WallClock(), new_id=uuid7)


async def changes(site):
    rows = await site.pool.fetch("select * from settings_changes order by change_id")
    return [
        (row["user_id"], row["admin_id"], row["reason"], json.loads(row["former"]), json.loads(row["present"]))
        for row in rows
    ]


def whole(user_id="ann", **changed):
    fields = {"user_id": user_id, "plan_slug": "bootstrapper", **changed}
    return pb.UserSettings(**fields)


async def test_of_whom_nothing_is_known_the_settings_are_those_they_are_treated_by(site, admin):
    root = await admin()
    assert (await root.call("GetUserSettings", user_id="ann")).settings == whole()
    assert await site.pool.fetchval("select count(*) from user_settings where user_id = 'ann'") == 0


async def test_what_an_admin_sets_stands_whole_and_holds_at_once(site, admin):
    root, ann = await admin(), await site.user("ann")
    wanted = whole(
        plan_slug="partner", override_models={"coder": "m-9", "default": "m-1"}, override_tokens_per_day=7, admin=True
    )
    assert (await root.call("UpdateUserSettings", settings=wanted, reason="a trial")).settings == wanted
    assert (await root.call("GetUserSettings", user_id="ann")).settings == wanted
    limits = {use.limit: use.allowed for use in (await ann.call("GetUsage")).limits}
    assert (limits["tokens_per_day"], limits["builds_per_day"]) == (7, 50)
    # An admin now, so able to take it back again.
    await ann.call("UpdateUserSettings", settings=whole(), reason="enough")
    assert (await ann.refused("GetUserSettings", user_id="ann")).reason == "ROLE_TOO_LOW"
    assert (await root.call("GetUserSettings", user_id="ann")).settings == whole()


async def test_every_change_is_recorded_with_who_why_from_what_to_what(site, admin):
    root = await admin()
    await root.call("UpdateUserSettings", settings=whole(override_tokens_per_day=-1), reason="a big week")
    await root.call("UpdateUserSettings", settings=whole(suspended=True), reason="abuse\nof the trial")
    plain = {
        "user_id": "ann",
        "plan_slug": "bootstrapper",
        "suspended": False,
        "admin": False,
        "override_models": {},
        "override_tokens_per_day": 0,
    }
    unlimited, suspended = {**plain, "override_tokens_per_day": -1}, {**plain, "suspended": True}
    assert await changes(site) == [
        ("ann", "root", "a big week", plain, unlimited),
        ("ann", "root", "abuse\nof the trial", unlimited, suspended),
    ]


async def test_no_change_without_its_record(site, admin):
    root = await admin()
    await site.pool.execute("alter table settings_changes add constraint full_up check (reason <> 'lost')")
    try:
        assert (
            await root.refused("UpdateUserSettings", settings=whole(suspended=True), reason="lost")
        ).reason == "INTERNAL"
    finally:
        await site.pool.execute("alter table settings_changes drop constraint full_up")
    assert (await root.call("GetUserSettings", user_id="ann")).settings == whole()


async def test_changes_at_once_are_recorded_as_one_after_another(site, admin):
    root = await admin()
    wanted = [whole(override_tokens_per_day=number) for number in range(1, 9)]
    await asyncio.gather(*(root.call("UpdateUserSettings", settings=each, reason="r") for each in wanted))
    found = await site.pool.fetch("select former, present from settings_changes")
    steps = {
        json.loads(row["former"])["override_tokens_per_day"]: json.loads(row["present"])["override_tokens_per_day"]
        for row in found
    }
    # A chain: each began where another had ended, whatever their order.
    at, seen = 0, []
    while at in steps:
        at = steps[at]
        seen.append(at)
    assert sorted(seen) == list(range(1, 9))
    last = (await root.call("GetUserSettings", user_id="ann")).settings
    assert last.override_tokens_per_day == at


async def test_a_plan_that_does_not_exist_is_refused_by_its_field_and_changes_nothing(site, admin):
    root = await admin()
    refused = await root.refused("UpdateUserSettings", settings=whole(plan_slug="admin"), reason="r")
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["settings.plan_slug"])
    assert "bootstrapper, cto_scale, partner" in refused.text
    assert await changes(site) == []


async def test_who_is_no_admin_is_refused_whoever_they_ask_about(site, operator):
    eve = await site.user("eve", plan="cto_scale")
    refusals = [await eve.refused("GetUserSettings", user_id=user_id) for user_id in ("eve", "ann", "root")]
    refusals.append(await eve.refused("UpdateUserSettings", settings=whole("eve", admin=True), reason="please"))
    for refused in refusals:
        assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW")
        assert refused.info.metadata == {"role": "user", "needed": "admin"}
    assert not (await operator.read("eve")).admin


async def test_a_suspended_user_starts_nothing_until_that_is_lifted(site, admin):
    root, ann = await admin(), await site.user("ann")
    order = {"goal": "g", "request_id": str(uuid4())}
    await root.call("UpdateUserSettings", settings=whole(suspended=True), reason="r")
    assert (await ann.refused("StartBuild", **order)).reason == "SUSPENDED"
    await root.call("UpdateUserSettings", settings=whole(), reason="r")
    assert (await ann.call("StartBuild", **order)).created


async def test_an_operator_makes_the_first_admin_and_that_is_recorded_too(site, operator):
    me = await site.user(ME, plan="cto_scale")
    assert (await me.refused("GetUserSettings", user_id="ann")).reason == "ROLE_TOO_LOW"
    assert await operator.set_admin(ME, admin=True, reason="the first")
    assert not await operator.set_admin(ME, admin=True, reason="again")
    assert (await me.call("GetUserSettings", user_id=ME)).settings.plan_slug == "cto_scale"
    assert await operator.set_admin(ME, admin=False, reason="enough")
    assert (await me.refused("GetUserSettings", user_id="ann")).reason == "ROLE_TOO_LOW"
    recorded = [
        (who, by, why, former["admin"], present["admin"]) for who, by, why, former, present in await changes(site)
    ]
    assert recorded == [(ME, OPERATOR, "the first", False, True), (ME, OPERATOR, "enough", True, False)]
