"""GetUsage: today against each limit, exactly as the ledger, the queue and the settings have it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc


async def limits(client, **fields):
    """Returns used, reserved and allowed by limit."""
    return {use.limit: (use.used, use.reserved, use.allowed) for use in await uses(client, **fields)}


async def uses(client, **fields):
    return (await client.call("GetUsage", **fields)).limits


async def test_who_never_did_anything_has_the_default_plan_whole(site):
    assert await limits(await site.user("new")) == {
        "tokens_per_day": (0, 0, 500_000),
        "builds_per_day": (0, 0, 5),
        "cost_per_day": (0, 0, -1),
        "concurrent_builds": (0, 0, 2),
    }


async def test_spent_and_set_aside_are_told_apart_and_others_do_not_count(site, bookings):
    me = await site.user("me", plan="partner")
    await bookings.spend(tokens=300, cost=4000)
    await bookings.reserve()
    await bookings.spend("you", tokens=999, cost=9999)
    assert await limits(me) == {
        "tokens_per_day": (300, 1000, 2_000_000),
        "builds_per_day": (0, 0, 50),
        "cost_per_day": (4000, 10_000, -1),
        "concurrent_builds": (0, 0, 3),
    }


async def test_a27_the_day_is_the_utc_day_and_starts_anew_at_midnight(site, bookings):
    me = await site.user("me")
    await bookings.spend(day=datetime.now(UTC).date() - timedelta(days=1))
    before = datetime.now(UTC)
    shown = {use.limit: use for use in await uses(me)}
    midnights = {
        datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) for now in (before, datetime.now(UTC))
    }
    for name in ("tokens_per_day", "builds_per_day", "cost_per_day"):
        assert shown[name].used == 0
        assert shown[name].reset_time.ToDatetime(UTC) in midnights
    assert not shown["concurrent_builds"].HasField("reset_time")


async def test_builds_of_the_day_and_those_that_run_now_are_counted(site, build):
    me = await site.user("me")
    started = [(await build(me)).build_id for _ in range(3)]
    for build_id, state in zip(started, ("running", "starting", "succeeded"), strict=True):
        await site.pool.execute("update builds set state = $2 where build_id = $1", UUID(build_id), state)
    shown = await limits(me)
    assert shown["builds_per_day"] == (3, 0, 5)
    assert shown["concurrent_builds"] == (2, 0, 2)


async def test_example_27_where_the_plan_was_lowered_all_that_was_used_shows_and_nothing_is_negative(site, bookings):
    await (await site.user("me", plan="cto_scale")).call("GetUsage")
    await bookings.spend(tokens=3_000_000)
    me = await site.user("me", plan="partner")
    assert (await limits(me))["tokens_per_day"] == (3_000_000, 0, 2_000_000)


async def test_an_override_stands_in_place_of_the_plan(site):
    me = await site.user("me", plan="partner")
    for override, allowed in ((7, 7), (-1, -1), (0, 2_000_000)):
        await me.call("GetUsage")
        await site.pool.execute("update user_settings set override_tokens_per_day = $1", override)
        assert (await limits(me))["tokens_per_day"][2] == allowed


async def test_what_the_platform_bears_and_what_was_given_back_is_not_the_users_cost(site, bookings):
    me = await site.user("me")
    await bookings.spend(cost=5000)
    await bookings.spend(cost=7000, settled={"platform_borne": True})
    await bookings.credit(1500)
    await bookings.credit(9999, payer="you")
    assert (await limits(me))["cost_per_day"][0] == 3500
    await bookings.credit(50_000)
    assert (await limits(me))["cost_per_day"][0] == 0


async def test_d4_somebody_else_is_nobody_unless_an_admin_asks(site, bookings, admin):
    await bookings.spend("ann", tokens=300)
    eve, ann = await site.user("eve"), await site.user("ann")
    assert await uses(ann) == await uses(ann, user_id="ann")
    foreign, nothing = await eve.refused("GetUsage", user_id="ann"), await eve.refused("GetUsage", user_id="nil")
    assert foreign.code == grpc.StatusCode.NOT_FOUND
    assert foreign.without("ann") == nothing.without("nil")
    assert await uses(await admin(), user_id="ann") == await uses(ann)


async def test_an_admin_is_one_as_of_now(site, admin):
    root = await admin()
    await root.call("GetUsage", user_id="ann")
    await site.pool.execute("update user_settings set admin = false")
    assert (await root.refused("GetUsage", user_id="ann")).reason == "NOT_FOUND"
