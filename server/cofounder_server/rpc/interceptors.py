"""The guard before every service: who asks, how much at once, and what becomes of a fault."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
import structlog
from structlog.contextvars import bound_contextvars

from cofounder_server import errors
from cofounder_server.identity import caller
from cofounder_server.identity.caller import Caller, Identity, Kind
from cofounder_server.identity.tokens import MAX_TOKEN_BYTES, Verifier
from cofounder_server.rpc import binding, status
from cofounder_server.rpc.binding import Handler
from cofounder_server.rpc.drain import Drain
from cofounder_server.rpc.limits import Limits
from cofounder_server.rpc.status import Context

HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection."
SCHEME = "Bearer "

_CORRELATION = re.compile(r"[A-Za-z0-9_-]{1,64}")

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Lets a call through to its service, and only one with a valid token and within its limits.

    The token is verified before anything of the request's body is read (D-5). A method that does not exist is
    UNIMPLEMENTED, also to strangers.

    Args:
        open_to_all: Beginnings of the paths of methods that need no token.
        call_seconds: How long a call that is no stream may take, whatever its client's deadline.
    """

    def __init__(
        self, verifier: Verifier, *, limits: Limits, drain: Drain, open_to_all: Sequence[str], call_seconds: float
    ) -> None:
        self._verifier = verifier
        self._limits = limits
        self._drain = drain
        self._open_to_all = tuple(open_to_all)
        self._call_seconds = call_seconds

    async def intercept_service(  # type: ignore[override]
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(details)
        if handler is None or details.method.startswith(self._open_to_all):
            return handler
        metadata = details.invocation_metadata
        try:
            token = bearer(metadata)
            identity = await self._verifier.verify(token)
        except Exception as fault:
            return _denial(handler, status.translate(fault))
        who = Caller(identity, lambda: self._verifier.verify(token))
        guarded = self._guarded(handler, who, details.method, correlation_id(metadata))
        return binding.shaped(handler.request_streaming, handler.response_streaming, guarded)

    def _guarded(self, handler: Handler, who: Caller, method: str, correlation: str) -> binding.Behaviour:
        serve = binding.behaviour_of(handler)
        seconds = None if handler.response_streaming else self._call_seconds

        async def guarded(request: Any, context: Context) -> bytes | None:
            subject = who.identity.subject
            with bound_contextvars(method=method, caller=subject, correlation_id=correlation):
                try:
                    with self._admitted(who.identity, handler.response_streaming), caller.speaking_for(who):
                        async with asyncio.timeout(seconds):
                            return await serve(request, context)
                except grpc.aio.AbortError:
                    raise
                except Exception as fault:
                    await _end(context, fault)
            return None

        return guarded

    def _admitted(self, identity: Identity, streams: bool) -> ExitStack:
        """Counts the call until the stack is closed; raises RateLimited or ServerDraining."""
        with ExitStack() as stack:
            # A gateway asks for many people, each of whom it has admitted under their own token and limits.
            limited = identity.kind is not Kind.SERVICE
            if limited:
                self._limits.call(identity.subject)
            stack.enter_context(self._drain.call())
            if streams and limited:
                stack.enter_context(self._limits.stream(identity.subject))
            if streams:
                stack.enter_context(self._drain.stream())
            return stack.pop_all()
        raise AssertionError("an exit stack swallowed an error")


def bearer(metadata: Any) -> str:
    """Returns the token in a call's metadata.

    Raises:
        Unauthenticated: There is none, more than one, one of another scheme or of more than 8 KiB.
    """
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str) or not values[0].startswith(SCHEME):
        raise errors.Unauthenticated
    token = values[0].removeprefix(SCHEME)
    if not token or len(token) > MAX_TOKEN_BYTES:
        raise errors.Unauthenticated
    return token


def correlation_id(metadata: Any) -> str:
    """Returns the id by which the logs of all processes can be joined: the caller's if it is one, else a new one."""
    for key, value in metadata or ():
        if key == "x-correlation-id" and isinstance(value, str) and _CORRELATION.fullmatch(value):
            return value
    return uuid.uuid4().hex


def _denial(handler: Handler, error: errors.CofounderError) -> Handler:
    """Returns a handler of the same shape that refuses without reading the request."""

    async def deny(_: Any, context: Context) -> None:
        await status.abort(context, error)

    return binding.shaped(handler.request_streaming, handler.response_streaming, deny)


async def _end(context: Context, fault: Exception) -> None:
    if context.done():
        # Nobody listens any more: whatever failed, failed because of that.
        return
    error = status.translate(fault)
    structlog.get_logger(__name__).debug("call refused", code=error.code, reason=errors.reason_name(error.reason))
    await status.abort(context, error)
