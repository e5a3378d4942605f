"""The protocol of one socket, without I/O: a client's frame in, what to do about it out."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import duration_pb2
from google.rpc import status_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder_gateway import frames, methods, statuses

_TOKEN_BYTES = 8 * 1024  # D-2
_LONGEST_INTERVAL_MS = 1_000

_RESUME = frame_pb2.Leave.ACTION_RESUME
_STOP = frame_pb2.Leave.ACTION_STOP


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a socket ends: the close code says what the browser should do next, `reason` is for a log."""

    code: int
    action: "frame_pb2.Leave.Action"
    reason: str
    retry_delay: float = 0.0

    def frame(self) -> frame_pb2.ServerFrame:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(self.retry_delay * 1000))
        return frame_pb2.ServerFrame(leave=frame_pb2.Leave(action=self.action, reason=self.reason, retry_delay=delay))


# 4000 to 4499: connect again and resume. 4500 to 4999: stop.
def too_slow(reason: str) -> Farewell:
    return Farewell(4008, _RESUME, f"slow consumer ({reason}): resume from the last through_sequence", 1.0)


def unreached() -> Farewell:
    return Farewell(4400, _RESUME, "the server cannot be reached just now: connect again", 1.0)


def fault() -> Farewell:
    return Farewell(4400, _RESUME, "the gateway failed: connect again", 1.0)


def token_ended() -> Farewell:
    return Farewell(4401, _RESUME, "reauth: the token has ended; connect again with a new one")


def bad_hello(reason: str) -> Farewell:
    return Farewell(4501, _STOP, reason)


def not_allowed(reason: str) -> Farewell:
    return Farewell(4503, _STOP, reason)


def bad_frame(reason: str) -> Farewell:
    return Farewell(4504, _STOP, reason)


def draining(retry_delay: float) -> Farewell:
    return Farewell(1012, _RESUME, "draining: connect again", retry_delay)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Ask the server whom `token` speaks for; then `Session.accept`."""

    token: str
    renewal: bool


@dataclass(frozen=True, slots=True)
class StartWatch:
    """Admit the watcher and follow; then `Session.watch_ended`."""

    watch_id: int
    build_id: str
    after_sequence: int
    min_interval: float  # seconds


@dataclass(frozen=True, slots=True)
class StartCall:
    """Pass the call on; then `Session.call_ended`."""

    call_id: int
    method: methods.Method
    request: bytes


@dataclass(frozen=True, slots=True)
class StopWatch:
    watch_id: int


@dataclass(frozen=True, slots=True)
class StopCall:
    call_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this frame."""

    frame: frame_pb2.ServerFrame


Action = Authenticate | StartWatch | StartCall | StopWatch | StopCall | Answer | Farewell | None


class Phase(enum.Enum):
    SILENT = "silent"  # nothing heard yet
    CLAIMED = "claimed"  # a hello was heard, and not yet accepted
    READY = "ready"


class Session:
    """What one socket may do next. Every watch and call that is begun ends exactly once, if the socket lives."""

    def __init__(self, allowed: Mapping[str, methods.Method], *, max_watches: int, max_calls: int) -> None:
        self._allowed = allowed
        self._max_watches = max_watches
        self._max_calls = max_calls
        self._watches: set[int] = set()
        self._calls: set[int] = set()
        self.phase = Phase.SILENT
        self.user_id = ""

    def receive(self, frame: frame_pb2.ClientFrame) -> Action:
        """Takes a frame and returns the one thing to do about it; None for nothing."""
        kind = frame.WhichOneof("kind")
        if kind is None:
            return bad_frame("a frame of no known kind")
        if (kind == "hello") is not (self.phase is Phase.SILENT):
            return bad_hello("the first frame, and only the first, is a hello")
        match kind:
            case "hello":
                self.phase = Phase.CLAIMED
                return self._claim(frame.hello.token, renewal=False)
            case "renew":
                return self._claim(frame.renew.token, renewal=True)
            case "watch":
                return self._watch(frame.watch)
            case "call":
                return self._call(frame.call)
            # What is not there may have ended while the frame was on its way: nothing to do, and no fault.
            case "unwatch":
                return StopWatch(frame.unwatch.watch_id) if frame.unwatch.watch_id in self._watches else None
            case _:
                return StopCall(frame.hangup.call_id) if frame.hangup.call_id in self._calls else None

    def refuse(self, frame: frame_pb2.ClientFrame, status: status_pb2.Status) -> Action:
        """Takes a watch whose request cannot be read: it ends with `status`, if it could have begun."""
        action = self.receive(frame)
        if isinstance(action, StartWatch):
            self.watch_ended(action.watch_id)
            return _ended(action.watch_id, status)
        return action

    def accept(self, user_id: str) -> Farewell | None:
        """Takes what the server says of a token; a farewell if a renewal came from somebody else."""
        if self.phase is Phase.READY and user_id != self.user_id:
            return not_allowed("a token is renewed by one of the same user")
        self.phase = Phase.READY
        self.user_id = user_id
        return None

    def watch_ended(self, watch_id: int) -> None:
        self._watches.discard(watch_id)

    def call_ended(self, call_id: int) -> None:
        self._calls.discard(call_id)

    def _claim(self, token: str, *, renewal: bool) -> Action:
        # Also what keeps a token from breaking out of its header.
        if not token or len(token) > _TOKEN_BYTES or not all("!" <= char <= "~" for char in token):
            return bad_hello("a token is 1 to 8,192 visible ASCII characters")
        return Authenticate(token, renewal)

    def _watch(self, watch: frame_pb2.Watch) -> Action:
        watch_id = watch.watch_id
        if watch_id <= 0 or watch_id in self._watches:
            return bad_frame("a watch_id is above 0 and unique among the watches of a socket")
        if not 0 <= watch.min_interval_ms <= _LONGEST_INTERVAL_MS:
            return _ended(watch_id, statuses.invalid("min_interval_ms", "must be from 0 to 1,000"))
        if len(self._watches) >= self._max_watches:
            return _ended(watch_id, statuses.too_many("watches", self._max_watches))
        self._watches.add(watch_id)
        request = watch.request
        return StartWatch(watch_id, request.build_id, request.after_sequence, watch.min_interval_ms / 1000)

    def _call(self, call: frame_pb2.Call) -> Action:
        call_id = call.call_id
        if call_id <= 0 or call_id in self._calls:
            return bad_frame("a call_id is above 0 and unique among the calls of a socket")
        method = self._allowed.get(call.method)
        if method is None:
            return _call_end(call_id, statuses.not_callable(call.method))
        if len(self._calls) >= self._max_calls:
            return _call_end(call_id, statuses.too_many("calls", self._max_calls))
        self._calls.add(call_id)
        return StartCall(call_id, method, call.request)


def _ended(watch_id: int, status: status_pb2.Status) -> Answer:
    return Answer(frames.ended(watch_id, status))


def _call_end(call_id: int, status: status_pb2.Status) -> Answer:
    return Answer(frames.call_end(call_id, status))
