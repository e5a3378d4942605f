"""Starting builds as a careful client does: again under the same request id, until there is an answer."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc

from cofounder.runner.v1.runner_service_pb2 import StartBuildRequest, StartBuildResponse
from cofounder_testkit.stack import Address
from cofounder_testkit.watch import AGAIN_SECONDS, RESUMABLE

START_BUILD = "/cofounder.runner.v1.RunnerService/StartBuild"
SCENARIO = "happy_path"


async def start(address: Address, request_id: UUID | None = None, *, scenario: str = SCENARIO) -> str:
    """Starts a build and returns its id."""
    request = StartBuildRequest(goal="Count things by name", scenario=scenario, request_id=str(request_id or uuid4()))
    metadata = (("authorization", f"Bearer {address.token}"),)
    while True:
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{address.grpc_port}") as channel:
                response = await _start_build(channel)(request, metadata=metadata)
                return str(response.build.build_id)
        except grpc.aio.AioRpcError as fault:
            if fault.code() not in RESUMABLE:
                raise
            await asyncio.sleep(AGAIN_SECONDS)


def _start_build(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary(
        START_BUILD,
        request_serializer=StartBuildRequest.SerializeToString,
        response_deserializer=StartBuildResponse.FromString,
    )
