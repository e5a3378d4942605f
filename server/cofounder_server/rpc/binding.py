"""Services as gRPC handlers, made from their descriptors: what a service does not serve yet says so by itself.

Handlers take and give bytes, so that a service may answer with bytes that it never decoded. A service method takes
the request, or an iterator of requests, and returns a message, or yields messages; who asks is `caller.current()`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from cofounder_server import errors
from cofounder_server.rpc.decode import decode
from cofounder_server.rpc.status import Context

# What a service method may give: a message, or a message that is encoded already.
Answer = Message | bytes
Behaviour = Callable[[Any, Context], Awaitable[bytes | None]]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    # It cannot be subscripted where the program runs.
    Handler = grpc.RpcMethodHandler


def bind(service: ServiceDescriptor, servicer: object, *, write_seconds: float) -> "grpc.GenericRpcHandler[Any, Any]":
    """Returns handlers of all methods of `service`; those that `servicer` lacks answer NOT_SERVED_YET.

    A stream whose reader takes nothing for `write_seconds` ends with SLOW_READER (C-8): it would never be asked again
    whether it may go on.
    """
    handlers = {
        method.name: shaped(
            method.client_streaming, method.server_streaming, _behaviour(method, servicer, write_seconds)
        )
        for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def shaped(client_streaming: bool, server_streaming: bool, behaviour: Behaviour) -> Handler:
    """Returns a handler over bytes. A behaviour that streams writes to the context and returns nothing."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[client_streaming, server_streaming]
    return make(behaviour)


def behaviour_of(handler: Handler) -> Behaviour:
    """Returns what a handler does, of whatever shape it is."""
    found = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    # The types know only the blocking server's behaviours.
    return cast(Behaviour, found)


def _behaviour(method: MethodDescriptor, servicer: object, write_seconds: float) -> Behaviour:
    serve = getattr(servicer, method.name, None)
    kind = message_factory.GetMessageClass(method.input_type)
    if serve is None:
        return _not_served(method.name)

    def read(request: Any) -> Any:
        return _decoded(kind, request) if method.client_streaming else decode(kind, request)

    async def answer(request: Any, _: Context) -> bytes:
        return _encoded(await serve(read(request)))

    async def stream(request: Any, context: Context) -> None:
        async with aclosing(serve(read(request))) as answers:
            async for message in answers:
                await _write(context, _encoded(message), write_seconds)

    return stream if method.server_streaming else answer


async def _write(context: Context, body: bytes, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await context.write(body)
    except TimeoutError:
        raise errors.SlowReader(seconds=seconds) from None


def _not_served(name: str) -> Behaviour:
    async def refuse(*_: Any) -> None:
        raise errors.NotServedYet(name)

    return refuse


async def _decoded(kind: type[Message], bodies: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    async for body in bodies:
        yield decode(kind, body)


def _encoded(answer: Answer) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()
