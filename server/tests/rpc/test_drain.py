"""The end of a server's life: nobody is lost, and nobody holds it up."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2

from cofounder.gateway.v1 import relay_service_pb2 as relay_pb
from cofounder.usage.v1 import usage_service_pb2 as usage_pb
from cofounder_server.rpc.serve import Edge

# Longer than any test runs: whoever waits for it has failed.
FOREVER = 3600.0


class Slow:
    """A servicer whose answer waits until it is let go."""

    def __init__(self):
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()

    async def GetUsage(self, request):
        self.begun.set()
        await self.let_go.wait()
        return usage_pb.GetUsageResponse()


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
async def site(open_site, slow):
    return await open_site(edge=Edge(drain_seconds=FOREVER), servicers={"UsageService": slow})


async def started(client):
    return (await client.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id


async def ending(call):
    """Reads a stream to its end and returns the error it ends with."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it ended without an error")


async def until_refused(client):
    """Calls until that is refused, and returns the refusal."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.call("ListBuilds")
            except Exception as refused:
                return refused


async def drained(site):
    async with asyncio.timeout(30):
        await site.server.drain()


def assert_draining(error, refused):
    told = refused(error)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert told.retry.retry_delay.ToMilliseconds() == 100


async def test_watches_and_relays_are_told_to_resume_elsewhere(site, refused):
    me, gateway = await site.user("me"), await site.gateway()
    build_id = await started(me)
    watch, relay = me.open("WatchBuild", build_id=build_id), gateway.relay()
    await watch.read()
    await relay.write(relay_pb.RelayBuildsRequest(follow_build_ids=[build_id]))
    await relay.read()
    await drained(site)
    assert_draining(await ending(watch), refused)
    assert_draining(await ending(relay), refused)


async def test_a_call_under_way_is_answered_and_none_is_taken_any_more(site, slow):
    me = await site.user("me")
    call = asyncio.create_task(me.call("GetUsage"))
    await slow.begun.wait()
    draining = asyncio.create_task(drained(site))
    refused = await until_refused(await site.user("you"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert not draining.done()
    slow.let_go.set()
    assert await call == usage_pb.GetUsageResponse()
    await draining


async def test_a_call_that_does_not_end_is_cut_at_the_deadline(open_site, slow):
    site = await open_site(edge=Edge(drain_seconds=0.2), servicers={"UsageService": slow})
    call = asyncio.create_task((await site.user("me")).refused("GetUsage"))
    await slow.begun.wait()
    await drained(site)
    assert (await call).code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_health_says_not_serving_first_and_its_watchers_hold_nobody_up(site):
    channel = (await site.client(None)).channel
    health = channel.unary_stream(
        "/grpc.health.v1.Health/Watch", response_deserializer=health_pb2.HealthCheckResponse.FromString
    )(b"")
    assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
    await drained(site)
    assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_watcher_that_reads_nothing_holds_nobody_up(site, event):
    me = await site.user("me")
    build_id = await started(me)
    watch = me.open("WatchBuild", build_id=build_id)
    await watch.read()
    for _ in range(40):
        await site.append(build_id, event("x" * 200_000))
    await drained(site)
    watch.cancel()


async def test_draining_a_quiet_server_and_draining_twice_is_immediate(site):
    await drained(site)
    await drained(site)
