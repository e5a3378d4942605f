"""The guard before every service: tokens, limits, faults, and what a stranger may know."""

import asyncio
import json
import re
from uuid import uuid4

import asyncpg
import grpc
import pytest
import redis.exceptions
import structlog
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from cofounder_server import errors
from cofounder_server.rpc import interceptors
from cofounder_server.rpc.serve import CannotListenError, Edge, Server

UNAUTHENTICATED = errors.to_status(errors.Unauthenticated())


async def test_d5_every_method_of_the_contract_refuses_who_sends_no_metadata(site, methods):
    stranger = await site.client(None)
    for name in methods:
        refused = await stranger.refused(name)
        assert (refused.code, refused.status) == (grpc.StatusCode.UNAUTHENTICATED, UNAUTHENTICATED), name


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["Bearer "],
        ["bearer"],
        ["Bearer"],
        ["bearer {token}"],
        ["Basic {token}"],
        ["{token}"],
        ["Bearer  {token}"],
        ["Bearer {token} "],
        ["Bearer {token}", "Bearer {token}"],
        ["Bearer {token}", "Bearer x"],
        ["Bearer {token}x"],
        ["Bearer " + "x" * 8193],
        ["Bearer " + "x" * 10_000],
        ["Bearer cfs_" + "x" * 43],
    ],
)
async def test_d2_one_bearer_token_in_the_metadata_or_nothing(site, values):
    token = (await site.user("me")).token
    metadata = [("authorization", value.replace("{token}", token)) for value in values]
    for name in ("ListBuilds", "WatchBuild", "RelayBuilds", "PauseBuild"):
        refused = await (await site.client(None, *metadata)).refused(name)
        assert refused.status == UNAUTHENTICATED, name


def test_d2_a_token_of_more_than_8_kib_is_shown_to_no_verifier():
    assert interceptors.bearer([("authorization", "Bearer " + "x" * 8192)])
    with pytest.raises(errors.Unauthenticated):
        interceptors.bearer([("authorization", "Bearer " + "x" * 8193)])


async def test_d6_more_metadata_than_is_taken_is_refused_by_the_transport(site):
    refused = await (await site.client("x" * 100_000)).refused("ListBuilds")
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_d5_authentication_precedes_the_body(site):
    for name in ("StartBuild", "WatchBuild", "RelayBuilds"):
        refused = await (await site.client("x.y.z")).refused(name, b"\xff\xff no message")
        assert refused.status == UNAUTHENTICATED


async def test_headers_that_name_a_user_have_no_effect(site):
    token = (await site.user("eve")).token
    client = await site.client(token, ("x-user-id", "ann"), ("x-forwarded-user", "ann"))
    assert (await client.call("AuthorizeSession")).user_id == "eve"


@pytest.mark.parametrize("token", [None, "good"])
@pytest.mark.parametrize("path", ["/cofounder.runner.v1.RunnerService/Nothing", "/no.Service/Get", "/x", "/"])
async def test_an_unknown_method_is_unimplemented_for_everybody(site, token, path):
    client = await site.user("me")
    metadata = [("authorization", f"Bearer {client.token}")] if token else []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.channel.unary_unary(path)(b"", metadata=metadata, timeout=30)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def health(site, service=""):
    check = (await site.client(None)).channel.unary_unary(
        "/grpc.health.v1.Health/Check", response_deserializer=health_pb2.HealthCheckResponse.FromString
    )
    return (await check(health_pb2.HealthCheckRequest(service=service).SerializeToString(), timeout=30)).status


async def test_health_is_open_to_all_for_the_server_and_each_service(site, methods):
    services = {method.containing_service.full_name for method in methods.values()}
    assert len(services) == 5
    for service in ("", *services):
        assert await health(site, service) == health_pb2.HealthCheckResponse.SERVING


def reflect(client):
    call = client.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=30)


async def test_reflection_is_open_in_development(site, methods):
    (answer,) = [response async for response in reflect(await site.client(None))]
    listed = {service.name for service in answer.list_services_response.service}
    assert listed >= {method.containing_service.full_name for method in methods.values()}


async def test_d5_reflection_is_off_in_production(open_site):
    site = await open_site(edge=Edge(production=True))
    for client in (await site.client(None), await site.user("me")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [response async for response in reflect(client)]
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert await health(site) == health_pb2.HealthCheckResponse.SERVING


async def crowd(*clients):
    """Calls until some of the answers are refusals, and returns those."""
    async with asyncio.timeout(60):
        while True:
            calls = [client.call("ListBuilds") for client in clients for _ in range(30 // len(clients))]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            if refused := [answer for answer in answers if isinstance(answer, Exception)]:
                return refused


async def test_d6_calls_beyond_the_rate_are_refused_with_when_to_try_again(open_site):
    site = await open_site(edge=Edge(max_calls_per_second=5))
    me, you = await site.user("me"), await site.user("you")
    for each in await crowd(me):
        assert (each.code, each.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert each.info.metadata == {"limit": "calls", "value": "5"}
        assert 0 < each.retry.retry_delay.ToMilliseconds() <= 1000
    assert await you.call("ListBuilds") is not None


async def test_d6_the_same_person_by_other_tokens_and_connections_is_the_same_person(open_site):
    site = await open_site(edge=Edge(max_calls_per_second=5))
    assert await crowd(*[await site.user("me", lifetime=100 + n) for n in range(10)])


async def test_d6_streams_beyond_the_limit_are_refused_until_one_ends(open_site):
    site = await open_site(edge=Edge(max_streams_per_user=2))
    me, you = await site.user("me"), await site.user("you")
    build_id = (await me.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id
    calls = [me.open("WatchBuild", build_id=build_id) for _ in range(2)]
    for call in calls:
        await call.read()
    refused = await me.refused("WatchBuild", build_id=build_id)
    assert (refused.reason, dict(refused.info.metadata)) == ("RATE_LIMITED", {"limit": "streams", "value": "2"})
    assert refused.retry.retry_delay.ToMilliseconds() > 0
    assert (await you.refused("WatchBuild", build_id=build_id)).reason == "NOT_FOUND"
    calls[0].cancel()
    async with asyncio.timeout(20):
        while await first_code(me, build_id) == grpc.StatusCode.RESOURCE_EXHAUSTED:
            pass


async def first_code(client, build_id):
    """Opens a watch and returns None once it says something, or what it is refused with."""
    call = client.open("WatchBuild", build_id=build_id)
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


async def test_d6_a_message_beyond_the_limit_is_refused(open_site):
    site = await open_site(edge=Edge(max_message_bytes=64 * 1024))
    refused = await (await site.user("me")).refused("StartBuild", goal="x" * 70_000)
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_d6_a_small_message_that_unpacks_to_a_large_one_is_refused(site):
    me = await site.user("me")
    call = me.channel.unary_unary("/cofounder.runner.v1.RunnerService/StartBuild")
    metadata = [("authorization", f"Bearer {me.token}")]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"\0" * 64 * 1024 * 1024, metadata=metadata, compression=grpc.Compression.Gzip, timeout=30)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


class Stuck:
    """A servicer that never answers."""

    async def GetUsage(self, request):
        await asyncio.Event().wait()


async def test_a_call_without_a_deadline_of_its_clients_ends_by_the_servers(open_site):
    site = await open_site(edge=Edge(call_seconds=0.1), servicers={"UsageService": Stuck()})
    refused = await (await site.user("me")).refused("GetUsage")
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


class Broken:
    """A servicer that fails in the way it is told to."""

    def __init__(self, fault):
        self.fault = fault

    async def GetUsage(self, request):
        raise self.fault

    async def WatchUsage(self, request):
        raise self.fault
        yield


@pytest.fixture
def broken(open_site, methods):
    """`await broken(fault)`: a client of a server one of whose services fails with `fault`."""

    async def start(fault):
        site = await open_site(servicers={"UsageService": Broken(fault)})
        return await site.user("me", plan="partner")

    return start


@pytest.mark.parametrize("name", ["GetUsage", "WatchUsage"])
async def test_d12_of_an_unexpected_fault_the_client_learns_a_debug_id_and_the_log_the_rest(broken, name):
    me = await broken(RuntimeError("select secret from passwords at 10.0.0.1"))
    me.metadata.append(("x-correlation-id", "from-the-browser-1"))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        refused = await me.refused(name)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    debug_id = refused.info.metadata["debugId"]
    assert re.fullmatch("[0-9a-f]{16}", debug_id)
    assert refused.text == f"Something failed on our side. Report the debug id {debug_id}."
    assert "secret" not in str(refused.status)
    (line,) = [line for line in lines if line.get("debug_id")]
    assert (line["debug_id"], line["log_level"]) == (debug_id, "error")
    assert (line["correlation_id"], line["caller"], line["method"].rpartition("/")[2]) == (
        "from-the-browser-1",
        "user:me",
        name,
    )
    assert line["exc_info"].args == ("select secret from passwords at 10.0.0.1",)
    assert me.token not in json.dumps(lines, default=str)


@pytest.mark.parametrize("forged", ["", "a b", "x" * 65, "é".encode().decode("latin-1"), 'a"}'])
async def test_a_correlation_id_that_is_none_is_replaced(broken, forged):
    me = await broken(RuntimeError())
    me.metadata.append(("x-correlation-id", forged if forged.isascii() else "~~"))
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await me.refused("GetUsage")
    (line,) = [line for line in lines if line.get("debug_id")]
    assert re.fullmatch("[0-9a-f]{32}", line["correlation_id"])


@pytest.mark.parametrize(
    ("fault", "dependency"),
    [
        (ConnectionRefusedError(), "Postgres"),
        (asyncpg.CannotConnectNowError("starting up"), "Postgres"),
        (asyncpg.InterfaceError("connection is closed"), "Postgres"),
        (TimeoutError(), "Postgres"),
        (redis.exceptions.ConnectionError("at 10.0.0.1"), "Redis"),
        (redis.exceptions.TimeoutError(), "Redis"),
    ],
)
async def test_a_dependency_that_is_away_is_named_and_the_client_told_to_try_again(broken, fault, dependency):
    refused = await (await broken(fault)).refused("GetUsage")
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
    assert refused.info.metadata == {"dependency": dependency.lower()}
    assert dependency in refused.text
    assert refused.retry.retry_delay.ToMilliseconds() == 1000
    assert "10.0.0.1" not in str(refused.status)


async def test_postgres_away_while_the_token_is_checked_is_no_refusal_of_the_token(site):
    me = await site.user("me")
    site.pool.terminate()
    refused = await me.refused("ListBuilds")
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")


async def test_a_taken_port_is_said_at_the_start(site):
    second = Server([], None, Edge(port=site.server.port))
    with pytest.raises(CannotListenError, match="GRPC_PORT"):
        await second.start()


async def test_what_the_contract_has_and_this_server_does_not_says_so(site, methods):
    me = await site.user("me")
    for name in ("PauseBuild", "GenerateBrief", "DeleteProject", "ListPlans"):
        refused = await me.refused(name)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED_YET")
        assert refused.info.metadata == {"method": name}
