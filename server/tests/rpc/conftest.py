"""A real gRPC server over a real Postgres and Valkey, and callers of every kind."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest
import redis.asyncio as redis
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from cofounder.billing.v1 import billing_service_pb2
from cofounder.gateway.v1 import relay_service_pb2
from cofounder.runner.v1 import project_service_pb2, runner_service_pb2
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder.usage.v1 import usage_service_pb2
from cofounder_server.builds import framing
from cofounder_server.builds.board import Board
from cofounder_server.builds.forecasts import Forecasts
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Stretch
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Starter
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.views import Views
from cofounder_server.builds.watch import Watches
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import WallClock
from cofounder_server.identity import tokens
from cofounder_server.identity.accounts import Accounts, Door
from cofounder_server.identity.links import ShareLinks
from cofounder_server.rpc import services
from cofounder_server.rpc.serve import Edge, Server, Service
from cofounder_server.usage.watch import UsageWatches

MODULES = (
    runner_service_pb2,
    project_service_pb2,
    relay_service_pb2,
    usage_service_pb2,
    billing_service_pb2,
)
SERVICES: Sequence[ServiceDescriptor] = [
    service for module in MODULES for service in module.DESCRIPTOR.services_by_name.values()
]
METHODS: dict[str, MethodDescriptor] = {method.name: method for each in SERVICES for method in each.methods}


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """The machine's key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Refused(Exception):
    """What a call was refused with, decoded."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__(str(error))
        self.code: grpc.StatusCode = error.code()
        self.text = error.details() or ""
        self.status = rpc_status.from_call(error)
        self.info = error_details_pb2.ErrorInfo()
        self.bad = error_details_pb2.BadRequest()
        self.retry = error_details_pb2.RetryInfo()
        for detail in self.status.details if self.status else ():
            for known in (self.info, self.bad, self.retry):
                detail.Unpack(known)

    @property
    def reason(self) -> str:
        return self.info.reason

    @property
    def fields(self) -> list[str]:
        return [violation.field for violation in self.bad.field_violations]

    def without(self, *ids: str) -> tuple[object, ...]:
        """Everything the client sees, with the ids it asked for taken out."""
        whole = self.status.SerializeToString().decode("latin-1") if self.status else ""
        for number, each in enumerate(ids):
            whole = whole.replace(each, f"<{number}>")
        return self.code, whole


@dataclass
class Client:
    """Somebody's connection. A token of None sends no metadata at all."""

    channel: grpc.aio.Channel
    token: str | None
    metadata: list[tuple[str, str]] = field(default_factory=list)

    def _metadata(self) -> list[tuple[str, str]]:
        own = [("authorization", f"Bearer {self.token}")] if self.token is not None else []
        return own + self.metadata

    def _call(self, method: MethodDescriptor, **types: Any) -> Any:
        shape = ("stream" if method.client_streaming else "unary") + (
            "_stream" if method.server_streaming else "_unary"
        )
        path = f"/{method.containing_service.full_name}/{method.name}"
        return getattr(self.channel, shape)(path, **types)

    async def call(self, name: str, request: Any = None, **fields: Any) -> Any:
        """Calls a method by its name and returns its answer, or the list of its answers. Raises Refused.

        `request` may be bytes, which are sent as they are.
        """
        method = METHODS[name]
        if request is None:
            request = message_factory.GetMessageClass(method.input_type)(**fields)
        body = request if isinstance(request, bytes) else request.SerializeToString()
        answer = message_factory.GetMessageClass(method.output_type).FromString
        call = self._call(method, response_deserializer=answer)
        try:
            sent = call(iter([body]) if method.client_streaming else body, metadata=self._metadata(), timeout=30)
            return [message async for message in sent] if method.server_streaming else await sent
        except grpc.aio.AioRpcError as error:
            raise Refused(error) from None

    def open(self, name: str, request: Any = None, **fields: Any) -> Any:
        """Opens a server stream of raw bytes, to be read by the test."""
        method = METHODS[name]
        request = request or message_factory.GetMessageClass(method.input_type)(**fields)
        return self._call(method)(request.SerializeToString(), metadata=self._metadata(), timeout=30)

    def relay(self) -> Any:
        """Opens a RelayBuilds stream."""
        call = self._call(
            METHODS["RelayBuilds"],
            request_serializer=relay_service_pb2.RelayBuildsRequest.SerializeToString,
            response_deserializer=relay_service_pb2.RelayBuildsResponse.FromString,
        )
        return call(metadata=self._metadata(), timeout=30)

    async def refused(self, name: str, request: Any = None, **fields: Any) -> Refused:
        """Returns what the call is refused with; fails if it is not."""
        try:
            answer = await self.call(name, request, **fields)
        except Refused as refused:
            return refused
        raise AssertionError(f"{name} was answered: {answer}")


@dataclass
class Site:
    """A server and everything around it."""

    key: rsa.RSAPrivateKey
    pool: asyncpg.Pool
    parts: services.Parts
    publisher: Publisher
    server: Server
    stack: AsyncExitStack
    address: str

    async def client(self, token: str | None, *metadata: tuple[str, str]) -> Client:
        channel = grpc.aio.insecure_channel(self.address, [("grpc.max_receive_message_length", 16 * 1024 * 1024)])
        await self.stack.enter_async_context(channel)
        return Client(channel, token, list(metadata))

    async def user(self, user_id: str, *, plan: str | None = None, lifetime: float = 3600) -> Client:
        issued = tokens.issue_development_token(
            self.key, user_id=user_id, plan_slug=plan, lifetime=lifetime, now=WallClock().now()
        )
        return await self.client(issued.token)

    async def gateway(self) -> Client:
        issued = tokens.issue_service_token(self.key, service="gateway", lifetime=3600, now=WallClock().now())
        return await self.client(issued.token)

    async def append(self, build_id: str, *events: BuildEvent, publish: bool = True) -> bytes:
        """Appends events as a worker would and returns them as they are stored."""
        log, uuid = self.parts.log, UUID(build_id)
        head = await log.head(uuid)
        assert head is not None
        body = framing.encode(events, after=head.head, time=WallClock().now())
        over = events[-1].HasField("build_succeeded")
        batch = Batch(build_id=uuid, append_id=uuid4(), expected=head.head, count=len(events), body=body, seals=over)
        (outcome,) = await log.append([batch])
        assert outcome.verdict == "ok"
        if publish:
            await self.publisher.publish([Stretch(uuid, head.head, outcome.head, body, over)])
        return body


def text(words: str) -> BuildEvent:
    return BuildEvent(text_delta=TextDelta(text=words))


def end() -> BuildEvent:
    return BuildEvent(build_succeeded=BuildSucceeded())


@pytest.fixture
async def open_site(
    pool: asyncpg.Pool, redis_client: redis.Redis, key: rsa.RSAPrivateKey
) -> AsyncIterator[Callable[..., Any]]:
    """`await open_site(edge=Edge(...), servicers={name: …}, **options of compose)`: a running server."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            edge: Edge | None = None,
            verifier: Any = None,
            servicers: Any = None,
            poll_seconds: float = 30,
            view_seconds: float | None = None,
            usage_seconds: float = 0.05,
            **options: Any,
        ) -> Site:
            wall, log, publisher = WallClock(), Log(pool), Publisher(redis_client)
            queue = Queue(redis_client, lease_seconds=15)
            watches = await stack.enter_async_context(Watches(log, redis_client, poll_seconds=poll_seconds))
            # Without a period of their own, they are refreshed by the test, and never answer out of what they know.
            views = Views(Board(pool, Forecasts(pool), wall), watches, view_seconds=view_seconds or 0)
            if view_seconds is not None:
                await stack.enter_async_context(views)
            usage = await stack.enter_async_context(UsageWatches(pool, wall, watch_seconds=usage_seconds))
            # Confirmed once the live wire stands: no test begins, or ends, while it is being made.
            async with watches.listen(uuid4(), lambda _: None):
                pass
            parts = services.Parts(
                pool=pool,
                wall=wall,
                builds=Builds(pool),
                starter=Starter(pool, log, publisher, queue, wall, rehearsal=True, max_queued=100),
                transitions=Transitions(pool, log, publisher, wall),
                log=log,
                watches=watches,
                views=views,
                usage=usage,
            )
            sessions = tokens.DevelopmentVerifier(key.public_key(), wall=wall)
            verifier = Door(sessions, ShareLinks(pool, wall=wall), Accounts(pool))
            options.setdefault("development_key", key)
            composed = [
                Service(each.descriptor, (servicers or {}).get(each.descriptor.name, each.servicer))
                for each in services.compose(parts, **options)
            ]
            edge = edge or Edge()
            server = Server(composed, verifier, dataclasses.replace(edge, port=0, drain_seconds=edge.drain_seconds))
            await server.start()
            stack.push_async_callback(server.drain)
            clients = await stack.enter_async_context(AsyncExitStack())
            return Site(key, pool, parts, publisher, server, clients, f"127.0.0.1:{server.port}")

        yield start


@pytest.fixture
async def site(open_site: Callable[..., Any]) -> Site:
    """A server as it is in development."""
    return await open_site()


@pytest.fixture
def methods() -> dict[str, MethodDescriptor]:
    """Every method of the contract, by name."""
    return METHODS


@pytest.fixture
def refused() -> type[Refused]:
    """Decodes what a call ended with."""
    return Refused


@pytest.fixture
def event() -> Callable[[str], BuildEvent]:
    """Makes an event with text."""
    return text


@pytest.fixture
def last_event() -> Callable[[], BuildEvent]:
    """Makes a terminal event."""
    return end


@pytest.fixture
def build(site: Site) -> Callable[..., Any]:
    """`await build(client, **fields)`: starts a build and returns its id."""

    async def start(client: Client, **fields: Any) -> Any:
        wanted = {"goal": "a thing", "request_id": str(uuid4()), **fields}
        return (await client.call("StartBuild", **wanted)).build

    return start
