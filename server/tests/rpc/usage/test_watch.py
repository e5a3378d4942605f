"""WatchUsage: what GetUsage says, whenever it changes; never too often, never silent, never without the right to it."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server.clock import VirtualClock
from cofounder_server.rpc.serve import Edge
from cofounder_server.usage.watch import UsageWatches

# Longer than any test runs: whoever waits for it has failed.
FOREVER = 3600.0


@pytest.fixture
async def site(open_site):
    """A server that repeats itself, and asks again for the right to a stream, several times a second."""
    return await open_site(progress_seconds=0.1, reauthorize_seconds=0.2)


async def read(call):
    async with asyncio.timeout(30):
        return pb.WatchUsageResponse.FromString(await call.read())


def tokens(response):
    return response.limits[0].used


async def test_it_says_what_is_and_then_what_changed(site, bookings):
    me = await site.user("me")
    call = me.open("WatchUsage")
    first = await read(call)
    assert list(first.limits) == list((await me.call("GetUsage")).limits)
    await bookings.spend("you")
    for spent in (100, 200):
        await bookings.spend()
        # Between reservation and settlement there may be one more.
        while tokens(response := await read(call)) != spent or response.limits[0].reserved:
            pass
    call.cancel()


async def test_a_quiet_watch_repeats_itself(site):
    call = (await site.user("me")).open("WatchUsage")
    first = await read(call)
    for _ in range(2):
        assert await read(call) == first
    call.cancel()


class Wheel:
    """A user's use that is another one each time it is looked at, in place of Postgres."""

    def __init__(self):
        self.builds = 0

    async def fetch(self, query, *arguments):
        if "from plans" in query:
            names = ("price_microdollars", "builds_a_day", "concurrent_user", "concurrent_project", "tokens_a_day")
            return [
                dict.fromkeys([*names, "head_start_seconds"], 0) | {"plan_slug": "bootstrapper", "default_models": "{}"}
            ]
        self.builds += 1
        zeros = ("override_tokens_per_day", "spent_tokens", "reserved_tokens", "spent_microdollars")
        row = dict.fromkeys([*zeros, "reserved_microdollars", "running"], 0)
        return [
            row | {"user_id": user_id, "plan_slug": "bootstrapper", "builds": self.builds} for user_id in arguments[0]
        ]


async def test_what_changes_all_the_time_comes_once_a_second():
    clock = VirtualClock(datetime(2026, 11, 1, tzinfo=UTC))
    async with UsageWatches(Wheel(), clock) as watches:
        shown, times = [], []
        # In the middle between two looks.
        await clock.sleep(0.5)
        async for uses in watches.follow("me", progress_seconds=FOREVER):
            shown.append(uses)
            times.append(clock.now())
            if len(shown) == 5:
                break
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= timedelta(seconds=1)
    assert len(set(shown)) == len(shown)


async def test_nobody_is_looked_at_once_they_have_left():
    wheel = Wheel()
    watches = UsageWatches(wheel, VirtualClock())
    follow = watches.follow("me", progress_seconds=FOREVER)
    await anext(follow)
    await follow.aclose()
    looks = wheel.builds
    await watches.refresh()
    assert wheel.builds == looks


async def test_d3_suspension_ends_every_stream_of_the_user_and_whatever_they_would_start(site, admin, build, ending):
    me, root = await site.user("me"), await admin()
    started = await me.call("StartBuild", goal="g", request_id="01990000-abcd-7000-8000-00000000000f")
    calls = [me.open("WatchUsage"), me.open("WatchBuild", build_id=started.build.build_id)]
    for call in calls:
        await call.read()
    settings = (await root.call("GetUserSettings", user_id="me")).settings
    settings.suspended = True
    await root.call("UpdateUserSettings", settings=settings, reason="abuse")
    for call in calls:
        end = await ending(call)
        assert (end.code, end.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SUSPENDED")
    assert (await me.refused("StartBuild", goal="g", request_id="x")).reason == "SUSPENDED"


async def test_d3_a_watch_of_somebody_else_ends_with_the_admins_right(site, admin, ending):
    root = await admin()
    call, own = root.open("WatchUsage", user_id="ann"), root.open("WatchUsage")
    for each in (call, own):
        await read(each)
    await site.pool.execute("update user_settings set admin = false")
    assert (await ending(call)).reason == "NOT_FOUND"
    await read(own)
    own.cancel()


async def test_it_is_told_to_resume_elsewhere_when_the_server_drains(open_site, ending):
    site = await open_site(edge=Edge(drain_seconds=FOREVER))
    call = (await site.user("me")).open("WatchUsage")
    await read(call)
    async with asyncio.timeout(30):
        await site.server.drain()
    assert (await ending(call)).reason == "SERVER_DRAINING"
