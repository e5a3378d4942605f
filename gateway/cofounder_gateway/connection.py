"""One socket's life: reads frames, does what the session says, and ends with one farewell."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import code_pb2, status_pb2
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from cofounder.gateway.v1 import frame_pb2, relay_service_pb2
from cofounder_gateway import calls, frames, hub, methods, outbox, session, settings, statuses, upstream
from cofounder_gateway.admission import Admission
from cofounder_gateway.pace import Pace
from cofounder_gateway.watcher import Watcher

_log = structlog.get_logger(__name__)
# What is promised "at least every" is sent a little before, for the way takes time too.
_EARLY = 0.8
# A refusal this near the end of a token is the end of the token, seen by another clock; in seconds.
_CLOCK_SKEW = 5.0


@dataclass(frozen=True, slots=True)
class Backend:
    """What every connection of a gateway shares."""

    server: upstream.Upstream
    hub: hub.Hub
    config: settings.Settings
    allowed: Mapping[str, methods.Method]


class Connection:
    """A socket that was accepted. `run` returns when it is closed; `leave` asks for that from outside."""

    def __init__(
        self, websocket: WebSocket, transport: asyncio.WriteTransport, codec: frames.Codec, backend: Backend
    ) -> None:
        config = backend.config
        self.id = uuid.uuid4().hex[:16]
        self.session = session.Session(backend.allowed, max_watches=config.max_watches, max_calls=config.max_calls)
        self._websocket = websocket
        self._transport = transport
        self._codec = codec
        self._backend = backend
        self._config = config
        self._outbox = outbox.Outbox(
            self._write,
            transport.get_write_buffer_size,
            write_deadline=config.write_deadline_seconds,
            max_pending_bytes=config.max_pending_bytes,
        )
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(config.frames_per_second, config.frames_burst)
        self._token = ""
        self._token_ends = 0.0  # by the wall clock; 0 if it does not end
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: dict[int, asyncio.Task[None]] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        # None as a farewell: the browser has gone, nobody is left to tell.
        self._farewell: asyncio.Future[session.Farewell | None] = self._loop.create_future()

    @property
    def leaving(self) -> bool:
        return self._farewell.done()

    @property
    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    async def run(self) -> None:
        """Serves the socket until it ends, then cancels all that was done for it."""
        self._start(self._read(), "read")
        self._start(self._await_hello(), "hello")
        try:
            farewell = await self._farewell
        finally:
            # Also where it is this that is cancelled: what ends from now on has nobody to tell.
            self.leave(None)
            await self._stop()
        if farewell is not None:
            await self._close(farewell)

    def leave(self, farewell: session.Farewell | None) -> None:
        """Ends the socket; the first farewell counts."""
        if not self._farewell.done():
            self._farewell.set_result(farewell)

    async def _stop(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close(self, farewell: session.Farewell) -> None:
        _log.info("socket closes", socket=self.id, code=farewell.code, reason=farewell.reason)
        # A stuck reader never takes its goodbye: it gets a moment, then its endpoint cuts the transport.
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(self._config.goodbye_seconds):
                await self._write(self._codec.frame(farewell.frame()))
                await self._websocket.close(farewell.code, farewell.reason)

    # Tasks

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=f"socket {self.id} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, outbox.TooSlow):
            self.leave(session.too_slow(str(error)))
        elif isinstance(error, WebSocketDisconnect):
            self.leave(None)
        elif error is not None:
            _log.error("socket failed", socket=self.id, task=task.get_name(), exc_info=error)
            self.leave(session.fault())

    async def _await_hello(self) -> None:
        await asyncio.sleep(self._config.hello_deadline_seconds)
        if self.session.phase is session.Phase.SILENT:
            self.leave(session.bad_hello("no hello in time"))

    async def _heartbeat(self) -> None:
        interval = self._config.heartbeat_seconds * _EARLY
        while True:
            due = self._outbox.last_sent + interval - self._loop.time()
            if due > 0:
                await asyncio.sleep(due)
                continue
            sent = timestamp_pb2.Timestamp()
            sent.GetCurrentTime()
            await self._send(frame_pb2.ServerFrame(heartbeat=frame_pb2.Heartbeat(send_time=sent)))

    # In

    async def _read(self) -> None:
        while not self._farewell.done():
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return self.leave(None)
            await self._pace.wait()
            data = message.get("bytes")
            try:
                action = self._take(data if data is not None else message["text"])
            except frames.BadFrame as bad:
                return self.leave(session.bad_frame(str(bad)))
            await self._act(action)
        return None

    def _take(self, data: frames.Frame) -> session.Action:
        try:
            return self.session.receive(self._codec.parse(data))
        except frames.BadWatch as bad:
            return self.session.refuse(bad.frame, statuses.invalid(bad.fault.field or "request", bad.fault.text))

    async def _act(self, action: session.Action) -> None:
        match action:
            case session.Farewell():
                self.leave(action)
            case session.Answer():
                await self._send(action.frame)
            case session.Authenticate():
                # In line: what was sent behind a hello waits in the transport until it is accepted.
                await self._authenticate(action)
            # After each a turn of the loop, so that it has begun: one cancelled before would never end in a frame.
            case session.StartWatch():
                self._watches[action.watch_id] = self._start(self._watch(action), f"watch {action.watch_id}")
                await asyncio.sleep(0)
            case session.StartCall():
                self._calls[action.call_id] = self._start(self._call(action), f"call {action.call_id}")
                await asyncio.sleep(0)
            case session.StopWatch():
                self._watches[action.watch_id].cancel()
            case session.StopCall():
                self._calls[action.call_id].cancel()

    async def _authenticate(self, claim: session.Authenticate) -> None:
        try:
            answer = await self._backend.server.authorize_session(claim.token)
        except upstream.Refused as refused:
            return self._not_authenticated(claim, refused)
        if (farewell := self.session.accept(answer.user_id)) is not None:
            return self.leave(farewell)
        self._token = claim.token
        self._arm_expiry(answer)
        if not claim.renewal:
            _log.info("socket opens", socket=self.id, user=answer.user_id)
            self._start(self._heartbeat(), "heartbeat")
        await self._send(self._ready(answer))
        return None

    def _not_authenticated(self, claim: session.Authenticate, refused: upstream.Refused) -> None:
        code = refused.status.code
        if code == code_pb2.UNAUTHENTICATED:
            self.leave(session.bad_hello("the token was not accepted"))
        elif not (refused.unreached or refused.faulty):
            self.leave(session.not_allowed(code_pb2.Code.Name(code)))
        # The former token still holds: its own end decides.
        elif not claim.renewal:
            self.leave(session.unreached())

    def _arm_expiry(self, answer: relay_service_pb2.AuthorizeSessionResponse) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._token_ends = answer.expire_time.ToMicroseconds() / 1e6 if answer.HasField("expire_time") else 0.0
        if self._token_ends:
            self._expire()

    def _expire(self) -> None:
        left = self._token_ends - time.time()
        if left <= 0:
            return self.leave(session.token_ended())
        # In steps, as a wall clock may be set.
        self._expiry = self._loop.call_later(min(left, 60.0), self._expire)
        return None

    def _ready(self, answer: relay_service_pb2.AuthorizeSessionResponse) -> frame_pb2.ServerFrame:
        interval = duration_pb2.Duration()
        interval.FromMilliseconds(round(self._config.heartbeat_seconds * 1000))
        expires = answer.expire_time if answer.HasField("expire_time") else None
        return frame_pb2.ServerFrame(
            ready=frame_pb2.Ready(user_id=answer.user_id, token_expire_time=expires, heartbeat_interval=interval)
        )

    # Watches

    async def _watch(self, asked: session.StartWatch) -> None:
        status = await self._guarded(self._follow(asked))
        if self._farewell.done():
            return
        del self._watches[asked.watch_id]
        self.session.watch_ended(asked.watch_id)
        await self._send(frames.ended(asked.watch_id, status))
        if status.code == code_pb2.UNAUTHENTICATED:
            self._token_refused()

    async def _follow(self, asked: session.StartWatch) -> status_pb2.Status:
        server, config = self._backend.server, self._config
        admitted = await server.authorize_watch(self._token, asked.build_id, asked.after_sequence)
        admission = Admission(
            server, asked.build_id, admitted, token=lambda: self._token, reauthorize=config.reauthorize_seconds
        )
        async with self._backend.hub.follow(asked.build_id) as feed:
            watcher = Watcher(
                asked.watch_id,
                feed,
                cursor=asked.after_sequence,
                head=admitted.last_sequence,
                codec=self._codec,
                outbox=self._outbox,
                read_log=self._backend.hub.read_log,
                min_interval=asked.min_interval,
                progress=config.heartbeat_seconds * _EARLY,
                max_batch_bytes=config.max_batch_bytes,
            )
            return await _first(watcher.run(), admission.keep(watcher))

    def _token_refused(self) -> None:
        if self._token_ends and time.time() >= self._token_ends - _CLOCK_SKEW:
            self.leave(session.token_ended())
        else:
            self.leave(session.not_allowed("the token is no longer accepted"))

    # Calls

    async def _call(self, asked: session.StartCall) -> None:
        status = await self._guarded(self._pass_on(asked))
        if self._farewell.done():
            return
        del self._calls[asked.call_id]
        self.session.call_ended(asked.call_id)
        await self._send(frames.call_end(asked.call_id, status))

    async def _pass_on(self, asked: session.StartCall) -> status_pb2.Status:
        return await calls.serve(
            asked,
            server=self._backend.server,
            codec=self._codec,
            outbox=self._outbox,
            token=self._token,
            correlation_id=f"{self.id}-{asked.call_id}",
        )

    async def _guarded(self, work: Coroutine[Any, Any, status_pb2.Status]) -> status_pb2.Status:
        task = asyncio.current_task()
        try:
            return await work
        except upstream.Refused as refused:
            return refused.status
        except (outbox.TooSlow, WebSocketDisconnect):
            raise
        # A cancellation that was not asked of this task is somebody else's end, and no word of the browser.
        except (asyncio.CancelledError, Exception):
            if task is not None and task.cancelling():
                return statuses.CANCELLED
            debug_id = uuid.uuid4().hex[:12]
            _log.exception("watch or call failed", socket=self.id, debug_id=debug_id)
            return statuses.internal(debug_id)

    # Out

    async def _send(self, frame: frame_pb2.ServerFrame) -> None:
        await self._outbox.send(self._codec.frame(frame))

    async def _write(self, frame: frames.Frame) -> None:
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            # Somebody else's write has met the end before.
            raise WebSocketDisconnect(1006)
        if isinstance(frame, bytes):
            await self._websocket.send_bytes(frame)
        else:
            await self._websocket.send_text(frame)


async def _first(*works: Coroutine[Any, Any, status_pb2.Status]) -> status_pb2.Status:
    """Returns what the first of `works` to end returns or raises; the others are cancelled and waited for."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
