"""Calls the server, and follows a build's log through every cut without a gap or a repeat."""

import asyncio
import contextlib
import os
import random
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar, cast

from grpclib import GRPCError, Status
from grpclib.client import Channel
from grpclib.exceptions import ProtocolError, StreamTerminatedError

from cofounder_cli import errors
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli._gen.cofounder.usage import v1 as usage
from cofounder_cli.connection import Address
from cofounder_cli.errors import Fault
from cofounder_cli.failure import CommandFailed
from cofounder_cli.terminal import clean_line

CALL_SECONDS = 20.0
STALL_SECONDS = 45.0
STABLE_SECONDS = 60.0  # a connection that lived so long makes former failures forgotten
"""A watch that is silent this long is broken: the server sends progress every 15 s."""
FIRST_CONTACT_SECONDS = 6.0
"""How long to look for a server that has not answered yet."""
PATIENCE_SECONDS = 3600.0
"""How long to look for a server that has answered before."""

TERMINAL_STATES = frozenset(
    {
        runner.BuildState.SUCCEEDED,
        runner.BuildState.PARTIAL,
        runner.BuildState.FAILED,
        runner.BuildState.CANCELLED,
    }
)
TERMINAL_KINDS = ("build_succeeded", "build_partial", "build_failed", "build_cancelled")

_TRANSIENT = frozenset({Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED})
_UNEXPLAINED = frozenset({Status.UNKNOWN, Status.INTERNAL})
_UNEXPLAINED_RETRIES = 5
_DROPPED = (OSError, TimeoutError, StreamTerminatedError, ProtocolError)

_Response = TypeVar("_Response")
_Stub = TypeVar("_Stub", runner.RunnerServiceStub, usage.UsageServiceStub)


_RUNNER = runner.RunnerServiceStub
_USAGE = usage.UsageServiceStub


class BrokenLog(CommandFailed):
    """The server's stream had a gap or a repeat. Going on would show a build that never was."""

    def __init__(self, cursor: int, sequence: int) -> None:
        what = "repeated" if sequence <= cursor else "left out"
        super().__init__(
            f"The server {what} events: {sequence} came after {cursor}. What was shown up to {cursor} stands, but this "
            "is a fault of the server. Report it, and watch again from there."
        )


class Client:
    """One caller of one server. Every method raises CommandFailed, with sentences for a person.

    `token` is read before each connection, so that a renewed one is found. `notice` receives a line when a connection
    is lost or found again.
    """

    def __init__(self, address: Address, token: Callable[[], str], *, notice: Callable[[str], None]) -> None:
        self.correlation_id = str(uuid.uuid4())
        self._address = address
        self._token = token
        self._notice = notice
        self._channel: Channel | None = None
        self._sent_token = ""
        self._reached = False

    async def start_build(self, request: runner.StartBuildRequest) -> runner.StartBuildResponse:
        """Starts a build, or returns the one that `request.request_id` started."""
        return await self._call(_RUNNER, lambda stub: stub.start_build(request, timeout=CALL_SECONDS))

    async def get_build(self, build_id: str) -> runner.GetBuildResponse:
        """Returns a build with its snapshot."""
        request = runner.GetBuildRequest(build_id=build_id)
        return await self._call(_RUNNER, lambda stub: stub.get_build(request, timeout=CALL_SECONDS))

    async def list_builds(self, request: runner.ListBuildsRequest) -> runner.ListBuildsResponse:
        """Returns one page of builds, newest first."""
        return await self._call(_RUNNER, lambda stub: stub.list_builds(request, timeout=CALL_SECONDS))

    async def cancel_build(self, build_id: str) -> runner.CancelBuildResponse:
        """Asks a build to stop."""
        request = runner.CancelBuildRequest(build_id=build_id)
        return await self._call(_RUNNER, lambda stub: stub.cancel_build(request, timeout=CALL_SECONDS))

    async def get_usage(self) -> usage.GetUsageResponse:
        """Returns what the caller used of today, against each limit."""
        request = usage.GetUsageRequest()
        return await self._call(_USAGE, lambda stub: stub.get_usage(request, timeout=CALL_SECONDS))

    async def summarize_usage(self, request: usage.SummarizeUsageRequest) -> usage.SummarizeUsageResponse:
        """Returns what the caller used of some days, summed."""
        return await self._call(_USAGE, lambda stub: stub.summarize_usage(request, timeout=CALL_SECONDS))

    async def watch_usage(self) -> AsyncGenerator[usage.WatchUsageResponse, None]:
        """Yields what the caller used of today whenever it changes, across any number of lost connections."""
        retries = _Retries()
        while True:
            cut = _Cut()
            try:
                opened = self._stream(lambda: self._stub(_USAGE).watch_usage(usage.WatchUsageRequest()))
                async with contextlib.aclosing(opened) as stream:
                    async for response in stream:
                        if retries.end():
                            self._notice("Connected again.")
                        yield response
            except _Cut as error:
                cut = error
            await self._pause(retries, cut, PATIENCE_SECONDS if self._reached else FIRST_CONTACT_SECONDS)

    async def watch(self, build_id: str, *, after: int = 0) -> AsyncGenerator[runner.WatchBuildResponse, None]:
        """Yields the log after sequence `after`, up to and with its terminal event, then ends.

        Events come in order, each once, none missing, across any number of lost connections; BrokenLog is raised the
        moment the server's stream says otherwise. Responses without events carry progress or a view. Ends at once if
        the log ends at `after`.
        """
        cursor = after
        wanted = runner.GetBuildRequest(build_id=build_id)
        retries = _Retries()
        while True:
            try:
                request = runner.WatchBuildRequest(build_id=build_id, after_sequence=cursor)
                async with contextlib.aclosing(self._stream(partial(self._open_watch, request))) as stream:
                    async for response in stream:
                        if retries.end():
                            self._notice(f"Connected again; going on after event {cursor}.")
                        cursor = advance(cursor, response)
                        yield response
                        if response.events and terminal_kind(response.events[-1]):
                            return
                build = (await self._once(_RUNNER, lambda stub: stub.get_build(wanted))).build
                if build is not None and build.state in TERMINAL_STATES and build.last_sequence <= cursor:
                    return
                cut = _Cut()
            except _Cut as error:
                cut = error
            await self._pause(retries, cut, PATIENCE_SECONDS if self._reached else FIRST_CONTACT_SECONDS)

    async def close(self) -> None:
        """Closes the connection. The client can be used again: it connects anew."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _open_watch(self, request: runner.WatchBuildRequest) -> AsyncIterator[runner.WatchBuildResponse]:
        return self._stub(_RUNNER).watch_build(request)

    async def _stream(self, begin: Callable[[], AsyncIterator[_Response]]) -> AsyncGenerator[_Response, None]:
        async with contextlib.AsyncExitStack() as stack:
            stream = None
            while True:
                with self._cuts(watching=True):
                    if stream is None:
                        stream = await stack.enter_async_context(_quietly_closing(begin()))
                    async with asyncio.timeout(STALL_SECONDS):
                        response = await anext(stream, None)
                if response is None:
                    return
                self._reached = True
                yield response

    async def _call(self, kind: type[_Stub], send: Callable[[_Stub], Awaitable[_Response]]) -> _Response:
        # Every call here is idempotent, so one whose answer was lost may be made again.
        retries = _Retries()
        while True:
            try:
                return await self._once(kind, send)
            except _Cut as cut:
                await self._pause(retries, cut, FIRST_CONTACT_SECONDS)

    async def _once(self, kind: type[_Stub], send: Callable[[_Stub], Awaitable[_Response]]) -> _Response:
        with self._cuts():
            async with asyncio.timeout(CALL_SECONDS):
                response = await send(self._stub(kind))
        self._reached = True
        return response

    def _stub(self, kind: type[_Stub]) -> _Stub:
        if self._channel is None:
            self._sent_token = self._token()
            self._channel = Channel(self._address.host, self._address.port, ssl=True if self._address.tls else None)
        metadata = {"authorization": f"Bearer {self._sent_token}", "x-correlation-id": self.correlation_id}
        return kind(self._channel, metadata=metadata)

    @contextlib.contextmanager
    def _cuts(self, *, watching: bool = False) -> Iterator[None]:
        """Turns what may pass by itself into a _Cut, and what will not into CommandFailed."""
        try:
            yield
        except _DROPPED as error:
            raise _Cut() from error
        except GRPCError as error:
            fault = errors.of_call(error)
            if self._may_pass(error.status, fault, watching=watching):
                raise _Cut(fault) from error
            message = errors.sentences(fault, correlation_id=self.correlation_id)
            raise CommandFailed(message, exit_code=fault.exit_code) from error

    def _may_pass(self, status: Status, fault: Fault, *, watching: bool) -> bool:
        if status in _UNEXPLAINED:
            # A server of ours gives its reason; without one it was something in between.
            return not fault.reason
        if status is Status.UNAUTHENTICATED:
            return self._token() != self._sent_token
        return status in _TRANSIENT or (watching and fault.reason == "RATE_LIMITED")

    async def _pause(self, retries: "_Retries", cut: "_Cut", patience: float) -> None:
        """Waits before the next try, or gives up after `patience` seconds without an answer."""
        await self.close()
        delay = retries.begin(at_least=cut.fault.retry_delay if cut.fault else None)
        stubborn = cut.fault is not None and cut.fault.code in (Status.UNKNOWN.value, Status.INTERNAL.value)
        if retries.seconds + delay > patience or (stubborn and retries.count > _UNEXPLAINED_RETRIES):
            raise CommandFailed(self._given_up(cut))
        if retries.count == 1:
            self._notice("Connection lost; reconnecting…" if self._reached else f"{self._address} does not answer yet…")
        await asyncio.sleep(delay)

    def _given_up(self, cut: "_Cut") -> str:
        if cut.fault is not None:
            return errors.sentences(cut.fault, correlation_id=self.correlation_id)
        if self._reached:
            return f"{self._address} does not answer any more. A build goes on without its watchers; try again later."
        return (
            f"No server answers at {self._address}{_why(cut.__cause__)}, so nothing was asked of it.\n"
            "Start one with `make run`, or name another with --server HOST:PORT or COFOUNDER_GRPC."
        )


def advance(cursor: int, response: runner.WatchBuildResponse) -> int:
    """Returns the cursor after `response`. Raises BrokenLog unless it follows `cursor` without gap or repeat."""
    for event in response.events:
        if event.sequence != cursor + 1:
            raise BrokenLog(cursor, event.sequence)
        cursor = event.sequence
    if response.through_sequence > cursor:
        raise BrokenLog(cursor, response.through_sequence + 1)
    return cursor


def terminal_kind(event: runner.BuildEvent) -> str:
    """Returns the kind of a terminal event, and nothing for any other."""
    return next((kind for kind in TERMINAL_KINDS if getattr(event, kind) is not None), "")


def _why(cause: BaseException | None) -> str:
    """Names what the system said of a failed connection, where it said something of use."""
    if not isinstance(cause, OSError):
        return ""
    reason = os.strerror(cause.errno) if isinstance(cause, ConnectionError) and cause.errno else cause.strerror
    return f" ({clean_line(reason)})" if reason else ""


class _Cut(Exception):
    """A connection or call that may go better next time. `fault` is what the server said, if it said anything."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.fault = fault


class _Retries:
    """A streak of failures: how many, for how long, and how long to wait now.

    The pauses go on growing across connections that break soon again, until one was stable for a minute (C-12): a
    server that answers and falls over is not to be asked ten times a second.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._monotonic = monotonic
        self._since = 0.0
        self._doublings = 0
        self._answered: float | None = None

    @property
    def seconds(self) -> float:
        return self._monotonic() - self._since

    def begin(self, *, at_least: float | None = None) -> float:
        """Counts a failure; returns the seconds to wait, with full jitter on top of `at_least`."""
        now = self._monotonic()
        if self.count == 0:
            self._since = now
        if self._answered is not None and now - self._answered > STABLE_SECONDS:
            self._doublings = 0
        self._answered = None
        self.count += 1
        self._doublings += 1
        ceiling = min(8.0, 0.1 * 2**self._doublings)
        return (at_least or 0.0) + random.uniform(0.0, ceiling)

    def end(self) -> bool:
        """Notes an answer, which ends the streak; true if there was one."""
        if self._answered is None:
            self._answered = self._monotonic()
        failed, self.count = self.count > 0, 0
        return failed


@contextlib.asynccontextmanager
async def _quietly_closing(stream: AsyncIterator[_Response]) -> AsyncIterator[AsyncIterator[_Response]]:
    """Closes a stream whose connection may be gone already, which the transport would complain about."""
    try:
        yield stream
    finally:
        with contextlib.suppress(GRPCError, *_DROPPED):
            await cast(AsyncGenerator[_Response, None], stream).aclose()
