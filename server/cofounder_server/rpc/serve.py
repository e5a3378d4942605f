"""The gRPC server: what it listens on, what it serves, and how it stops."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cofounder_server.identity.tokens import Verifier
from cofounder_server.rpc import binding, interceptors
from cofounder_server.rpc.drain import Drain
from cofounder_server.rpc.limits import Limits

# A bearer token of 8 KiB and some more; grpc refuses what is larger before we see it.
METADATA_BYTES = 32 * 1024
# Gateways ping every 20 s, also while no call runs (C-11): allow twice that before a connection is cut for it.
LEAST_PING_SECONDS = 10
KEEPALIVE_SECONDS = 20
# A gateway carries the calls of all its users over one connection.
STREAMS_PER_CONNECTION = 4096
# After everything of ours has ended: what may still be open is somebody's watch of our health.
LAST_SECONDS = 0.2

logger = structlog.get_logger(__name__)


class CannotListenError(Exception):
    """The address cannot be listened on; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What the server's edge is to be like."""

    host: str = "127.0.0.1"
    # 0: one that is free.
    port: int = 50051
    # No reflection in production.
    production: bool = False
    # Seconds that calls get to end once draining begins.
    drain_seconds: float = 10.0
    # How long a call that is no stream may take, whatever its client's deadline.
    call_seconds: float = 60.0
    # How long the reader of a stream may take nothing.
    write_seconds: float = 30.0
    max_message_bytes: int = 4 * 1024 * 1024
    max_streams_per_user: int = 100
    max_calls_per_second: int = 200


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the contract and what serves it; methods that `servicer` lacks answer NOT_SERVED_YET."""

    descriptor: ServiceDescriptor
    servicer: object = field(default_factory=object)


class Server:
    """A gRPC server over `services`. `start` once, `drain` once."""

    def __init__(self, services: Sequence[Service], verifier: Verifier, edge: Edge) -> None:
        self.port = edge.port
        self._edge = edge
        self._drain = Drain()
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._names = [service.descriptor.full_name for service in services]
        limits = Limits(
            calls_per_second=edge.max_calls_per_second,
            streams=edge.max_streams_per_user,
            monotonic=asyncio.get_running_loop().time,
        )
        open_to_all = [interceptors.HEALTH] if edge.production else [interceptors.HEALTH, interceptors.REFLECTION]
        guard = interceptors.Guard(
            verifier, limits=limits, drain=self._drain, open_to_all=open_to_all, call_seconds=edge.call_seconds
        )
        self._server = grpc.aio.server(interceptors=[guard], options=_options(edge))
        handlers = [binding.bind(each.descriptor, each.servicer, write_seconds=edge.write_seconds) for each in services]
        self._server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if not edge.production:
            names = [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> None:
        """Listens; `port` is then what is listened on, and everything is SERVING.

        Raises:
            CannotListenError: The port is taken, or the host is not ours.
        """
        address = f"{self._edge.host}:{self._edge.port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as fault:
            raise CannotListenError(
                f"The gRPC server cannot listen on {address}: the port is taken or the host is not this machine's. "
                "Set GRPC_PORT or COFOUNDER_HOST to others, or stop what listens there."
            ) from fault
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        logger.info("listening", port=self.port)

    async def drain(self) -> None:
        """Stops, without losing anybody.

        1. Health says NOT_SERVING, so that no balancer sends anybody here any more.
        2. Streams end with SERVER_DRAINING, and so does every call that comes from now on: their clients go on
           elsewhere. Calls under way go on.
        3. When nothing runs any more, or `drain_seconds` have passed, the server stops listening and cuts what is left.
        """
        logger.info("draining")
        await self._health.enter_graceful_shutdown()
        try:
            # Not stopped yet: a call that meets a stopped server gets CANCELLED, which tells nobody to try elsewhere.
            await self._drain.finish(seconds=self._edge.drain_seconds)
        finally:
            await self._server.stop(LAST_SECONDS)
        logger.info("stopped")


async def serve(
    services: Sequence[Service],
    verifier: Verifier,
    *,
    edge: Edge,
    stop: asyncio.Event,
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serves until `stop` is set, then drains. `on_ready` is called with the port once calls are answered.

    Raises:
        CannotListenError: The address cannot be listened on.
    """
    server = Server(services, verifier, edge)
    await server.start()
    try:
        on_ready(server.port)
        await stop.wait()
    finally:
        await server.drain()


def _options(edge: Edge) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", edge.max_message_bytes),
        ("grpc.max_send_message_length", edge.max_message_bytes),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_SECONDS * 1000),
        # Two servers that share a port by accident would each get half of the calls.
        ("grpc.so_reuseport", 0),
    ]
