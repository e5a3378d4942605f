"""A browser's call of an RPC: its parts as they come, then its end."""

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

from google.rpc import status_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder_gateway import frames, proto_json, session, statuses, upstream
from cofounder_gateway.outbox import Outbox


async def serve(
    call: session.StartCall,
    *,
    server: upstream.Upstream,
    codec: frames.Codec,
    outbox: Outbox,
    token: str,
    correlation_id: str,
) -> status_pb2.Status:
    """Passes a call on and its responses back, and returns the RPC's status. Raises outbox.TooSlow.

    The next response is asked for when the former one has left: a slow browser slows its own call only. Cancelled,
    it hangs up on the server.
    """
    try:
        request = codec.decode_request(call.request, call.method.request)
    except proto_json.BadJson as bad:
        return statuses.invalid(bad.field or "request", bad.text)
    responses = server.call(call.method.name, request, token=token, correlation_id=correlation_id)
    try:
        async with contextlib.aclosing(cast(AsyncGenerator[bytes, None], responses)):
            async for response in responses:
                await outbox.send(codec.frame(_part(call, codec.encode_response(response, call.method.response))))
    except upstream.Refused as refused:
        return refused.status
    return statuses.OK


def _part(call: session.StartCall, response: bytes) -> frame_pb2.ServerFrame:
    return frame_pb2.ServerFrame(call_part=frame_pb2.CallPart(call_id=call.call_id, response=response))
