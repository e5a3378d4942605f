"""The server, over gRPC: the only module of the gateway that imports `grpc`."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf import message
from google.rpc import code_pb2, status_pb2

from cofounder.gateway.v1 import relay_service_pb2 as relay_pb
from cofounder.gateway.v1 import relay_service_pb2_grpc
from cofounder_gateway import methods, settings, statuses

_EOF = grpc.aio.EOF  # type: ignore[attr-defined]
T = TypeVar("T", bound=message.Message)
# The generated stubs are untyped: this is what their methods are.
_Unary = Callable[..., Awaitable[T]]
_DETAILS_KEY = "grpc-status-details-bin"
# The server could not be asked: it may well answer in a moment.
_UNREACHED = frozenset(
    {
        code_pb2.UNAVAILABLE,
        code_pb2.DEADLINE_EXCEEDED,
        code_pb2.ABORTED,
        code_pb2.RESOURCE_EXHAUSTED,
        code_pb2.CANCELLED,
    }
)
# Ours to set right, or a broken connection in disguise: worth some tries, and no user's fault.
_FAULTY = frozenset({code_pb2.INTERNAL, code_pb2.UNKNOWN})


class Refused(Exception):
    """The server answered an RPC with something other than OK, or could not be reached."""

    def __init__(self, status: status_pb2.Status, detail: str = "") -> None:
        """Makes a refusal; `detail` is what the transport said, for our logs only."""
        super().__init__(f"{code_pb2.Code.Name(status.code)}: {detail or status.message}")
        self.status = status

    @property
    def unreached(self) -> bool:
        """True if the same question may be answered in a moment."""
        return self.status.code in _UNREACHED

    @property
    def faulty(self) -> bool:
        """True if the server failed rather than refused."""
        return self.status.code in _FAULTY


class RelayStream:
    """One open `RelayBuilds`. Ends, or raises Refused, when the connection does."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def follow(self, request: relay_pb.RelayBuildsRequest) -> None:
        """Asks for builds, or for no more of them. Raises Refused if the stream has ended."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error
        # What the library raises depends on how far the end of the stream had come when the write began.
        except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise Refused(statuses.bare(code_pb2.UNAVAILABLE, ""), str(error)) from error

    async def __aiter__(self) -> AsyncIterator[relay_pb.RelayBuildsResponse]:
        try:
            while (response := await self._call.read()) is not _EOF:
                yield response
            # A stream that the server ends well is as lost as any other; a refusal is told by its status.
            if await self._call.code() is not grpc.StatusCode.OK:
                raise Refused(await _status_of(self._call))
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error
        except asyncio.CancelledError:
            # The library raises this, too, for a stream that was cancelled while the task that reads it was not.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise Refused(statuses.bare(code_pb2.CANCELLED, ""), "cancelled on this side") from None

    def cancel(self) -> None:
        self._call.cancel()


class Upstream:
    """A channel to the server. Safe to share; `close` ends every call on it."""

    def __init__(self, config: settings.Settings, allowed: Mapping[str, methods.Method]) -> None:
        self._config = config
        self._channel = grpc.aio.insecure_channel(config.server, options=_options(config))
        self._relay = relay_service_pb2_grpc.RelayServiceStub(self._channel)  # type: ignore[no-untyped-call]
        # Without serializers the request and response bytes pass through untouched.
        channel: Any = self._channel
        self._unary = {name: channel.unary_unary(f"/{name}") for name in allowed if not allowed[name].streams}
        self._streams = {name: channel.unary_stream(f"/{name}") for name in allowed if allowed[name].streams}

    async def close(self) -> None:
        await self._channel.close(grace=0)

    async def ready(self, *, timeout: float) -> bool:
        """Tells whether the server can be reached within `timeout` seconds."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout)
        except TimeoutError:
            return False
        return True

    def relay(self) -> RelayStream:
        """Opens the one stream of live stretches, under the gateway's own token."""
        return RelayStream(self._relay.RelayBuilds(metadata=_metadata(self._service_token(), new_correlation_id())))

    async def read_log(self, build_id: str, *, after: int, max_bytes: int) -> relay_pb.ReadBuildLogResponse:
        """Reads a stretch of a build's log, under the gateway's own token. Raises Refused."""
        request = relay_pb.ReadBuildLogRequest(build_id=build_id, after_sequence=after, max_bytes=max_bytes)
        deadline = self._config.read_deadline_seconds
        method: _Unary[relay_pb.ReadBuildLogResponse] = self._relay.ReadBuildLog
        return await self._ask(method, request, self._service_token(), deadline, wait=False)

    async def issue_development_token(self, user_id: str) -> relay_pb.IssueDevelopmentTokenResponse:
        """Signs a person in where there is no issuer of tokens. Raises Refused."""
        request = relay_pb.IssueDevelopmentTokenRequest(user_id=user_id)
        method: _Unary[relay_pb.IssueDevelopmentTokenResponse] = self._relay.IssueDevelopmentToken
        return await self._authorize(method, request, self._service_token())

    async def authorize_session(self, token: str) -> relay_pb.AuthorizeSessionResponse:
        """Tells whom a user's token speaks for. Waits out a short absence of the server. Raises Refused."""
        method: _Unary[relay_pb.AuthorizeSessionResponse] = self._relay.AuthorizeSession
        return await self._authorize(method, relay_pb.AuthorizeSessionRequest(), token)

    async def authorize_watch(self, token: str, build_id: str, after: int) -> relay_pb.AuthorizeWatchResponse:
        """Admits a watcher under its own token. Waits out a short absence of the server. Raises Refused."""
        request = relay_pb.AuthorizeWatchRequest(build_id=build_id, after_sequence=after)
        method: _Unary[relay_pb.AuthorizeWatchResponse] = self._relay.AuthorizeWatch
        return await self._authorize(method, request, token)

    async def call(self, name: str, request: bytes, *, token: str, correlation_id: str) -> AsyncIterator[bytes]:
        """Calls an allowed method under a user's token and yields its responses, untouched. Raises Refused."""
        metadata = _metadata(token, correlation_id)
        unary = self._unary.get(name)
        try:
            if unary is not None:
                yield await unary(request, metadata=metadata, timeout=self._config.call_deadline_seconds)
                return
            deadline = self._config.stream_call_deadline_seconds
            stream = self._streams[name](request, metadata=metadata, timeout=deadline)
            try:
                async for response in stream:
                    yield response
            finally:
                # A browser that hangs up closes this generator: the server must hear of it.
                stream.cancel()
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error

    async def _authorize(self, method: "_Unary[T]", request: message.Message, token: str) -> T:
        return await self._ask(method, request, token, self._config.authorize_deadline_seconds, wait=True)

    async def _ask(
        self, method: "_Unary[T]", request: message.Message, token: str, deadline: float, *, wait: bool
    ) -> T:
        metadata = _metadata(token, new_correlation_id())
        try:
            return await method(request, metadata=metadata, timeout=deadline, wait_for_ready=wait)
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error

    def _service_token(self) -> str:
        return read_token(self._config.service_token_file)


def read_token(path: Path | None) -> str:
    """Returns the bearer token in a file; empty if none is configured, so that the server refuses."""
    return path.read_text(encoding="utf-8").strip() if path is not None else ""


def new_correlation_id() -> str:
    return uuid.uuid4().hex


def _options(config: settings.Settings) -> list[tuple[str, int | str]]:
    return [
        ("grpc.keepalive_time_ms", _milliseconds(config.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", _milliseconds(config.keepalive_timeout_seconds)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", config.max_response_bytes),
        ("grpc.initial_reconnect_backoff_ms", _milliseconds(config.reconnect_seconds)),
        ("grpc.min_reconnect_backoff_ms", _milliseconds(config.reconnect_seconds)),
        ("grpc.max_reconnect_backoff_ms", _milliseconds(config.reconnect_max_seconds)),
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.enable_http_proxy", 0),
    ]


def _milliseconds(seconds: float) -> int:
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)


def _metadata(token: str, correlation_id: str) -> tuple[tuple[str, str], ...]:
    # Built from nothing: no header of a browser ever reaches the server (D-5).
    return (("authorization", f"Bearer {token}"), ("x-correlation-id", correlation_id))


def _refused(error: grpc.aio.AioRpcError) -> Refused:
    return Refused(_status(error.code(), error.details(), error.trailing_metadata()), error.details() or "")


async def _status_of(call: Any) -> status_pb2.Status:
    return _status(await call.code(), await call.details(), await call.trailing_metadata())


def _status(code: grpc.StatusCode, details: str | None, trailers: Any) -> status_pb2.Status:
    for key, value in trailers or ():
        if key == _DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return statuses.bare(code.value[0], details or "")
