"""What a founder does over gRPC: starts builds, watches them from a cursor, opens them."""

import time
from typing import Any
from uuid import uuid4

import grpc

from cofounder.runner.v1 import runner_service_pb2 as pb
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import DESCRIPTOR as AGENT_EVENTS

SERVICE = "/cofounder.runner.v1.RunnerService"
# The kinds that an agent tells, as opposed to the queue and the worker.
AGENT_KINDS = frozenset(
    field.name
    for field in BuildEvent.DESCRIPTOR.oneofs_by_name["kind"].fields
    if field.message_type is not None and field.message_type.file is AGENT_EVENTS
)


class Founder:
    """A caller with a token. `async with`."""

    def __init__(self, grpc_port: int, token: str) -> None:
        self._channel: Any = grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}")
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def __aenter__(self) -> "Founder":
        await self._channel.channel_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def start(self) -> str:
        """Starts a build and returns its id."""
        request = pb.StartBuildRequest(goal="A URL shortener with tests", request_id=str(uuid4()))
        answer = pb.StartBuildResponse.FromString(await self._call("StartBuild", request))
        return answer.build.build_id

    async def cancel(self, build_id: str) -> None:
        await self._call("CancelBuild", pb.CancelBuildRequest(build_id=build_id))

    async def open(self, build_id: str) -> float:
        """Opens a build as a screen does; returns the seconds that took."""
        start = time.perf_counter()
        pb.GetBuildResponse.FromString(await self._call("GetBuild", pb.GetBuildRequest(build_id=build_id)))
        return time.perf_counter() - start

    async def first_event(self) -> tuple[str, float]:
        """Starts a build and watches it; returns its id, and the seconds to the first event that was shown."""
        start = time.perf_counter()
        build_id = await self.start()
        watch = self.watch(build_id)
        await anext(aiter(watch))
        seconds = time.perf_counter() - start
        watch.cancel()
        return build_id, seconds

    async def first_agent_event(self) -> str:
        """Starts a build and returns once a watch of it shows that an agent began."""
        watch = self.watch(await self.start())
        async for response in watch:
            for event in pb.WatchBuildResponse.FromString(response).events:
                if (kind := event.WhichOneof("kind")) in AGENT_KINDS:
                    watch.cancel()
                    return str(kind)
        raise RuntimeError("the build ended before an agent said anything")

    async def replay(self, build_id: str) -> tuple[int, float]:
        """Watches a build that is over from its first event; returns how many there were, and the seconds.

        What came is counted after the clock is stopped.
        """
        start = time.perf_counter()
        responses = [response async for response in self.watch(build_id)]
        seconds = time.perf_counter() - start
        return sum(len(pb.WatchBuildResponse.FromString(response).events) for response in responses), seconds

    def watch(self, build_id: str) -> Any:
        """Opens a watch that yields encoded responses."""
        request = pb.WatchBuildRequest(build_id=build_id).SerializeToString()
        return self._channel.unary_stream(f"{SERVICE}/WatchBuild")(request, metadata=self._metadata)

    async def _call(self, method: str, request: Any) -> bytes:
        call = self._channel.unary_unary(f"{SERVICE}/{method}")
        answer: bytes = await call(request.SerializeToString(), metadata=self._metadata)
        return answer
