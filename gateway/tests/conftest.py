"""A server that speaks real gRPC over logs in memory, and gateways in front of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cofounder.gateway.v1 import relay_service_pb2, relay_service_pb2_grpc
from cofounder.runner.v1 import (
    build_event_pb2,
    build_view_pb2,
    interview_pb2,
    runner_service_pb2,
    runner_service_pb2_grpc,
)
from cofounder_gateway import app, frames, settings

DEADLINE = 30.0


async def _eventually(predicate: Callable[[], Any]) -> None:
    """Waits until a condition holds that nothing announces."""
    async with asyncio.timeout(DEADLINE):
        while not predicate():
            await asyncio.sleep(0.01)


def _status(code: int, reason: str, **metadata: str) -> status_pb2.Status:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="cofounder.dev", metadata=metadata))
    return status_pb2.Status(code=code, message=f"refused for {reason}", details=[detail])


async def _abort(context: Any, status: status_pb2.Status) -> None:
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    code = next(one for one in grpc.StatusCode if one.value[0] == status.code)
    await context.abort(code, status.message, trailing_metadata=trailers)


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + frames._varint(len(payload)) + payload


class Log:
    """One build's log. Its bytes are legal but not what an encoder would write: only untouched bytes equal them."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.over = False

    def append(self, text: str) -> None:
        event = build_event_pb2.BuildEvent(sequence=len(self.events) + 1, attempt=1)
        event.text_delta.text = text
        # An unknown field in front, which a parser would move to the end.
        self.events.append(b"\xf8\x3e\x07" + event.SerializeToString())

    def between(self, after: int, last: int) -> bytes:
        return b"".join(_field(1, event) for event in self.events[after:last])


@dataclass(eq=False)
class Followed:
    outgoing: "asyncio.Queue[relay_service_pb2.RelayBuildsResponse | None]" = field(default_factory=asyncio.Queue)
    builds: set[str] = field(default_factory=set)


class Server(relay_service_pb2_grpc.RelayServiceServicer, runner_service_pb2_grpc.RunnerServiceServicer):
    """RelayService and some of RunnerService over logs in memory. Survives `stop` and `start` on the same port."""

    def __init__(self) -> None:
        self.logs: dict[str, Log] = {}
        self.denied: dict[str, status_pb2.Status] = {}
        self.revoked: set[str] = set()
        self.token_seconds = 3600.0
        self.admission_seconds = 60.0
        self.read_error: status_pb2.Status | None = None
        self.session_error: status_pb2.Status | None = None
        self.sessions = 0
        self.lose_relayed = False
        self.hold_answers = asyncio.Event()
        self.hold_answers.set()
        self.streams: set[Followed] = set()
        self.follows: list[str] = []
        self.unfollows: list[str] = []
        self.reads: list[tuple[str, int]] = []
        self.relays = 0
        self.admissions = 0
        self.metadata: dict[str, str] = {}
        self.waiting_calls = 0
        self.hung_up = 0
        self.started_builds: list[bytes] = []
        self.port = 0

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        relay_service_pb2_grpc.add_RelayServiceServicer_to_server(self, self._server)
        runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)
        self.streams.clear()

    def log(self, build_id: str) -> Log:
        return self.logs.setdefault(build_id, Log())

    def append(self, build_id: str, *texts: str, over: bool = False) -> None:
        log = self.log(build_id)
        after = len(log.events)
        for text in texts:
            log.append(text)
        log.over = over
        if not self.lose_relayed:
            self._relay(self._stretch(build_id, after, len(log.events)))

    def show(self, build_id: str, watchers: int) -> None:
        view = relay_service_pb2.RelayedView(build_id=build_id, view=build_view_pb2.BuildView(watchers=watchers))
        for stream in self.streams:
            stream.outgoing.put_nowait(relay_service_pb2.RelayBuildsResponse(views=[view]))

    def refuse(self, build_id: str, status: status_pb2.Status) -> None:
        self._relay(relay_service_pb2.Stretch(build_id=build_id, error=status))

    def break_relays(self) -> None:
        for stream in list(self.streams):
            stream.outgoing.put_nowait(None)

    def _relay(self, stretch: relay_service_pb2.Stretch) -> None:
        for stream in self.streams:
            if stretch.build_id in stream.builds:
                stream.outgoing.put_nowait(relay_service_pb2.RelayBuildsResponse(stretches=[stretch]))

    def _stretch(self, build_id: str, after: int, last: int) -> relay_service_pb2.Stretch:
        log = self.log(build_id)
        return relay_service_pb2.Stretch(
            build_id=build_id,
            after_sequence=after,
            last_sequence=last,
            events=log.between(after, last),
            over=log.over and last == len(log.events),
        )

    # RelayService

    async def RelayBuilds(self, requests: Any, context: Any) -> AsyncIterator[relay_service_pb2.RelayBuildsResponse]:
        await self._service(context)
        self.relays += 1
        stream = Followed()
        self.streams.add(stream)
        reader = asyncio.create_task(self._read_follows(requests, stream))
        try:
            while (response := await stream.outgoing.get()) is not None:
                yield response
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cut at 10.1.2.3:50051")
        finally:
            reader.cancel()
            self.streams.discard(stream)

    async def _read_follows(self, requests: Any, stream: Followed) -> None:
        async for request in requests:
            stream.builds.difference_update(request.unfollow_build_ids)
            self.unfollows += request.unfollow_build_ids
            for build_id in request.follow_build_ids:
                self.follows.append(build_id)
                stream.builds.add(build_id)
                head = len(self.log(build_id).events)
                ack = relay_service_pb2.RelayBuildsResponse(stretches=[self._stretch(build_id, head, head)])
                stream.outgoing.put_nowait(ack)

    async def ReadBuildLog(self, request: Any, context: Any) -> relay_service_pb2.ReadBuildLogResponse:
        await self._service(context)
        self.reads.append((request.build_id, request.after_sequence))
        if self.read_error is not None:
            await _abort(context, self.read_error)
        log = self.log(request.build_id)
        last = request.after_sequence
        size = 0
        while last < len(log.events) and (size == 0 or size + len(log.events[last]) <= request.max_bytes):
            size += len(log.events[last])
            last += 1
        stretch = self._stretch(request.build_id, request.after_sequence, last)
        return relay_service_pb2.ReadBuildLogResponse(stretch=stretch, head_sequence=len(log.events))

    async def AuthorizeSession(self, request: Any, context: Any) -> relay_service_pb2.AuthorizeSessionResponse:
        self.sessions += 1
        if self.session_error is not None:
            await _abort(context, self.session_error)
        user = await self._user(context)
        answer = relay_service_pb2.AuthorizeSessionResponse(user_id=user)
        answer.expire_time.FromMicroseconds(int((time.time() + self.token_seconds) * 1e6))
        return answer

    async def AuthorizeWatch(self, request: Any, context: Any) -> relay_service_pb2.AuthorizeWatchResponse:
        await self._user(context)
        self.admissions += 1
        if (status := self.denied.get(request.build_id)) is not None:
            await _abort(context, status)
        head = len(self.log(request.build_id).events)
        if request.after_sequence > head:
            await _abort(context, _status(code_pb2.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE", lastSequence=str(head)))
        answer = relay_service_pb2.AuthorizeWatchResponse(last_sequence=head)
        answer.expire_time.FromMicroseconds(int((time.time() + self.admission_seconds) * 1e6))
        return answer

    async def IssueDevelopmentToken(self, request: Any, context: Any) -> Any:
        await self._service(context)
        answer = relay_service_pb2.IssueDevelopmentTokenResponse(token=f"user:{request.user_id or 'me'}")
        answer.expire_time.FromSeconds(1_900_000_000)
        return answer

    # RunnerService

    async def StartBuild(self, request: Any, context: Any) -> runner_service_pb2.StartBuildResponse:
        await self._user(context)
        self.started_builds.append(request.SerializeToString())
        self.metadata = dict(context.invocation_metadata())
        answer = runner_service_pb2.StartBuildResponse(created=True)
        answer.build.build_id = "build-of-" + request.goal
        return answer

    async def CancelBuild(self, request: Any, context: Any) -> Any:
        await _abort(context, _status(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id=request.build_id))

    async def GetBuildFile(self, request: Any, context: Any) -> runner_service_pb2.GetBuildFileResponse:
        return runner_service_pb2.GetBuildFileResponse(content=b"x" * 1024 * 1024)

    async def GenerateQuestions(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._user(context)
        for text in ("Who ", "pays", "?"):
            await self.hold_answers.wait()
            yield interview_pb2.GenerateQuestionsResponse(text_delta=text)

    async def GenerateBrief(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield interview_pb2.GenerateBriefResponse(text_delta="begun")
        self.waiting_calls += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hung_up += 1

    async def _service(self, context: Any) -> None:
        if dict(context.invocation_metadata()).get("authorization") != "Bearer service-token":
            await _abort(context, _status(code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"))

    async def _user(self, context: Any) -> str:
        token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("user:") or token in self.revoked:
            await _abort(context, _status(code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"))
        return token.removeprefix("user:").partition("/")[0]


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Awaitable[None]]:
    return _eventually


@pytest.fixture
def refusal() -> Callable[..., status_pb2.Status]:
    return _status


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def config(server: Server, tmp_path: Path) -> Callable[..., settings.Settings]:
    token = tmp_path / "gateway.token"
    token.write_text("service-token\n")
    page = tmp_path / "page"
    page.mkdir(exist_ok=True)
    (page / "index.html").write_text("<!doctype html><title>page</title>")

    def make(**changes: Any) -> settings.Settings:
        defaults = {
            "port": 0,
            "server": f"127.0.0.1:{server.port}",
            "service_token_file": token,
            "static_folder": page,
            "reconnect_max_seconds": 0.2,
            "drain_seconds": 0.1,
            "linger_seconds": 0.1,
        }
        return settings.Settings(**{**defaults, **changes})

    return make


@pytest.fixture
async def start_gateway(config: Callable[..., settings.Settings]) -> AsyncIterator[Callable[..., app.Gateway]]:
    gateways: list[app.Gateway] = []

    def start(**changes: Any) -> app.Gateway:
        gateways.append(app.Gateway.start(config(**changes)))
        return gateways[-1]

    yield start
    for gateway in gateways:
        await gateway.stop()


@pytest.fixture
async def gateway(start_gateway: Callable[..., app.Gateway]) -> app.Gateway:
    return start_gateway()
