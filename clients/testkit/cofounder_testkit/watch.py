"""Watchers of a build, one for each way there is: gRPC, websocket, the CLI, and a foreign gRPC client."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import grpc
import websockets.asyncio.client as websockets
from google.protobuf import json_format
from google.rpc import code_pb2
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1.runner_service_pb2 import WatchBuildRequest, WatchBuildResponse
from cofounder_testkit.checker import Record, varint
from cofounder_testkit.stack import Address

WATCH_BUILD = "/cofounder.runner.v1.RunnerService/WatchBuild"
AGAIN_SECONDS = 0.1
# A call that meets a server in the very moment in which it stops is cancelled by it.
RESUMABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
}


async def together(*watchers: Coroutine[Any, Any, Record]) -> list[Record]:
    """Returns the records of watchers that watch at the same time; if one fails, the others are stopped."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watcher) for watcher in watchers]
    return [task.result() for task in tasks]


async def over_grpc(stack: Address, build_id: str, *, record: Record | None = None) -> Record:
    """Watches over gRPC, taking responses as bytes, and resumes whenever the server is gone."""
    record = record or Record("grpc")
    async for _ in progress(stack, build_id, record):
        pass
    return record


async def progress(stack: Address, build_id: str, record: Record) -> AsyncIterator[int]:
    """Watches over gRPC into `record`, and yields the cursor after each response."""
    cursor = 0
    metadata = (("authorization", f"Bearer {stack.token}"),)
    while True:
        request = WatchBuildRequest(build_id=build_id, after_sequence=cursor).SerializeToString()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
                async for response in _watch_build(channel)(request, metadata=metadata):
                    cursor = record.take_body(response)
                    yield cursor
            return
        except grpc.aio.AioRpcError as fault:
            # The library may report the end of a call where this task was cancelled at the same moment.
            if fault.code() not in RESUMABLE or _cancelled():
                raise
            record.cuts += 1
            await asyncio.sleep(AGAIN_SECONDS)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _watch_build(channel: grpc.aio.Channel) -> Any:
    # Bytes in, bytes out: what the server sends is compared as it is.
    return channel.unary_stream(WATCH_BUILD, request_serializer=None, response_deserializer=None)


async def over_websocket(
    stack: Address, build_id: str, *, record: Record | None = None, cuts: int = 0, seed: int = 0
) -> Record:
    """Watches over the gateway, cuts its own connection `cuts` times at random events, and resumes each time."""
    record, cursor = record or Record("websocket"), 0
    chance = random.Random(seed)
    wanted = sorted(chance.randrange(2, 400) for _ in range(cuts))
    while True:
        try:
            async for batch in _frames(stack, build_id, cursor):
                if batch is None:
                    return record
                cursor = record.take_body(batch)
                if wanted and cursor >= wanted[0]:
                    wanted = [cut for cut in wanted if cut > cursor]
                    break
        except (ConnectionClosed, OSError, InvalidHandshake):
            await asyncio.sleep(AGAIN_SECONDS)
        record.cuts += 1


async def _frames(stack: Address, build_id: str, cursor: int) -> AsyncIterator[bytes | None]:
    """Yields each response of a watch as it was encoded, then None once the watch ended with OK."""
    uri = f"ws://127.0.0.1:{stack.port}/api/socket"
    async with websockets.connect(uri, subprotocols=[Subprotocol("cofounder.v1.proto")], max_size=None) as socket:
        request = WatchBuildRequest(build_id=build_id, after_sequence=cursor)
        await socket.send(frame_pb2.ClientFrame(hello=frame_pb2.Hello(token=stack.token)).SerializeToString())
        watch = frame_pb2.Watch(watch_id=1, request=request)
        await socket.send(frame_pb2.ClientFrame(watch=watch).SerializeToString())
        async for data in socket:
            assert isinstance(data, bytes)
            frame = frame_pb2.ServerFrame.FromString(data)
            if frame.HasField("batch"):
                yield _response_of(data)
            elif frame.HasField("ended"):
                if frame.ended.status.code == code_pb2.UNAVAILABLE:
                    # The gateway cannot reach a server just now: come back with the cursor.
                    raise ConnectionError(frame.ended.status.message)
                if frame.ended.status.code:
                    raise RuntimeError(f"the watch ended with {frame.ended.status}")
                yield None
                return


def _response_of(frame: bytes) -> bytes:
    """Returns the bytes of `batch.response` in an encoded ServerFrame, as they came."""
    batch = _field(frame, frame_pb2.ServerFrame.BATCH_FIELD_NUMBER)
    return _field(batch, frame_pb2.Batch.RESPONSE_FIELD_NUMBER)


def _field(message: bytes, number: int) -> bytes:
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 == 2:
            if tag >> 3 == number:
                return message[at : at + value]
            at += value
    return b""


async def by_cli(stack: Address, build_id: str, *, name: str = "cli") -> Record:
    """Watches with `cofounder watch BUILD --json`."""
    record = Record(name)
    async for line in lines(stack, sys.executable, "-m", "cofounder_cli", "watch", build_id, "--json"):
        record.take_json(line)
    return record


async def by_buf_curl(stack: Address, build_id: str, *, name: str = "buf curl") -> Record:
    """Watches with a client that knows nothing of ours but what reflection tells it."""
    record = Record(name)
    buf = Path(sys.executable).parent / "buf"
    arguments = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", f"authorization: Bearer {stack.token}"]
    arguments += ["-d", f'{{"buildId": "{build_id}"}}', f"http://127.0.0.1:{stack.grpc_port}{WATCH_BUILD}"]
    text = "".join([line async for line in lines(stack, str(buf), *arguments)])
    for response in split_json(text):
        parsed = json_format.Parse(response, WatchBuildResponse())
        record.events += [event.SerializeToString() for event in parsed.events]
    return record


def split_json(text: str) -> list[str]:
    """Returns the JSON values that stand one after the other in `text`."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end
    return found


async def lines(stack: Address, *command: str) -> AsyncIterator[str]:
    """Yields what a program writes to its standard output, line by line, to its end."""
    process = await asyncio.create_subprocess_exec(
        *command, env=stack.environment, stdout=asyncio.subprocess.PIPE, limit=64 * 1024 * 1024
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield line.decode()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
