"""A browser that speaks real websocket frames, binary or JSON."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import websockets.asyncio.client as websockets_client
import websockets.exceptions
from google.protobuf import json_format
from google.rpc import status_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_event_pb2, runner_service_pb2
from cofounder_gateway import app, frames

DEADLINE = 30.0


def _children(data: bytes, number: int) -> Iterator[bytes]:
    """Yields the raw payloads of a length-delimited field, as they stand on the wire."""
    offset = 0
    while offset < len(data):
        tag, offset = frames._read_varint(data, offset)
        value, offset = frames._read_varint(data, offset)
        if tag & 7 == 2:
            if tag >> 3 == number:
                yield data[offset : offset + value]
            offset += value


class Browser:
    """A websocket client that speaks frames, binary or JSON."""

    def __init__(self, connection: websockets_client.ClientConnection) -> None:
        self.connection = connection
        self.text = connection.subprotocol == frames.JSON_SUBPROTOCOL
        self.received: list[str | bytes] = []

    async def send(self, **kind: Any) -> None:
        frame = frame_pb2.ClientFrame(**kind)
        await self.connection.send(json_format.MessageToJson(frame) if self.text else frame.SerializeToString())

    async def hello(self, token: str = "user:me") -> frame_pb2.Ready:
        await self.send(hello=frame_pb2.Hello(token=token))
        return (await self.next("ready")).ready

    async def watch(self, build_id: str, *, after: int = 0, watch_id: int = 1, min_interval_ms: int = 0) -> None:
        request = runner_service_pb2.WatchBuildRequest(build_id=build_id, after_sequence=after)
        await self.send(watch=frame_pb2.Watch(watch_id=watch_id, request=request, min_interval_ms=min_interval_ms))

    async def call(self, method: str, request: bytes, *, call_id: int = 1) -> None:
        await self.send(call=frame_pb2.Call(call_id=call_id, method=method, request=request))

    async def receive(self) -> frame_pb2.ServerFrame:
        data = await self.connection.recv()
        self.received.append(data)
        if isinstance(data, str):
            return json_format.Parse(data, frame_pb2.ServerFrame())
        return frame_pb2.ServerFrame.FromString(data)

    async def at_hand(self) -> list[frame_pb2.ServerFrame]:
        """Returns the frames that have arrived."""
        found: list[frame_pb2.ServerFrame] = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(await asyncio.wait_for(self.receive(), 0.05))
        return found

    async def next(self, kind: str) -> frame_pb2.ServerFrame:
        """Returns the next frame of a kind; heartbeats and batches before it are passed over."""
        async with asyncio.timeout(DEADLINE):
            while (frame := await self.receive()).WhichOneof("kind") != kind:
                assert frame.WhichOneof("kind") in ("heartbeat", "batch"), frame
            return frame

    async def events(self, count: int, *, watch_id: int = 1) -> list[build_event_pb2.BuildEvent]:
        """Returns the next `count` events of a watch, and fails on one too many."""
        found: list[build_event_pb2.BuildEvent] = []
        async with asyncio.timeout(DEADLINE):
            while len(found) < count:
                frame = await self.receive()
                assert frame.WhichOneof("kind") in ("batch", "heartbeat"), frame
                if frame.batch.watch_id == watch_id:
                    found += frame.batch.response.events
        assert len(found) == count
        return found

    async def to_the_end(self) -> tuple[list[build_event_pb2.BuildEvent], status_pb2.Status]:
        """Returns all events of the only watch and the status it ended with."""
        found: list[build_event_pb2.BuildEvent] = []
        async with asyncio.timeout(DEADLINE):
            while (frame := await self.receive()).WhichOneof("kind") != "ended":
                found += frame.batch.response.events
            return found, frame.ended.status

    async def closed(self) -> tuple[int, list[frame_pb2.ServerFrame]]:
        """Returns the close code and the frames before it."""
        before: list[frame_pb2.ServerFrame] = []
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            async with asyncio.timeout(DEADLINE):
                while True:
                    before.append(await self.receive())
        assert self.connection.close_code is not None
        return self.connection.close_code, before

    def raw_events(self) -> list[bytes]:
        """Returns the event bytes of all binary batches so far."""
        binary = [data for data in self.received if isinstance(data, bytes)]
        batches = [batch for frame in binary for batch in _children(frame, 2)]
        return [event for batch in batches for response in _children(batch, 2) for event in _children(response, 1)]


@pytest.fixture
async def browse() -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def browse(
            gateway: app.Gateway,
            *,
            codec: str = frames.PROTO_SUBPROTOCOL,
            token: str | None = "user:me",
            receive_buffer: int | None = None,
            **options: Any,
        ) -> Browser:
            if receive_buffer is not None:
                small = socket.socket()
                small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                small.setblocking(False)
                await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", gateway.port))
                options["sock"] = small
            connection = await stack.enter_async_context(
                websockets_client.connect(
                    f"ws://127.0.0.1:{gateway.port}/api/socket",
                    subprotocols=[codec],
                    max_size=None,
                    proxy=None,
                    close_timeout=1,
                    **{"compression": None, **options},
                )
            )
            browser = Browser(connection)
            if token is not None:
                await browser.hello(token)
            return browser

        yield browse
