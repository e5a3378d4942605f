"""The codec of the websocket, without I/O: client frames in, server frames out.

The bytes of events are never decoded for a binary socket: a batch is assembled around them by hand.
"""

from collections.abc import Iterable
from typing import Protocol

from google.protobuf import message
from google.rpc import status_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_view_pb2, runner_service_pb2
from cofounder_gateway import proto_json

# Sent as they are: text frames for str, binary frames for bytes.
Frame = bytes | str

PROTO_SUBPROTOCOL = "cofounder.v1.proto"
JSON_SUBPROTOCOL = "cofounder.v1.json"

_EVENT_TAG = 0x0A  # WatchBuildResponse.events
_THROUGH_TAG = b"\x10"  # WatchBuildResponse.through_sequence
_VIEW_TAG = b"\x1a"  # WatchBuildResponse.view
_BATCH_TAG = b"\x12"  # ServerFrame.batch
_WATCH_ID_TAG = b"\x08"  # Batch.watch_id
_RESPONSE_TAG = b"\x12"  # Batch.response


class BadFrame(ValueError):
    """A frame that is not one of ours: neither its sender nor we can go on from here."""


class BadWatch(ValueError):
    """A watch whose request cannot be read, on a socket that can go on; `frame` is the watch without its request."""

    def __init__(self, frame: frame_pb2.ClientFrame, fault: proto_json.BadJson) -> None:
        super().__init__(str(fault))
        self.frame = frame
        self.fault = fault


class BadEvents(ValueError):
    """Event bytes that do not hold the events they were said to hold."""


class Codec(Protocol):
    """How one subprotocol writes frames. A body is the WatchBuildResponse of a batch, shared by all its watchers."""

    def parse(self, data: Frame) -> frame_pb2.ClientFrame:
        """Reads a client's frame. Raises BadFrame or BadWatch."""
        ...

    def frame(self, message: frame_pb2.ServerFrame) -> Frame:
        """Writes a frame other than a batch."""
        ...

    def body(self, pieces: Iterable["Piece"], *, through_sequence: int, view: "View | None") -> Frame:
        """Writes a WatchBuildResponse around the events of `pieces`."""
        ...

    def batch(self, watch_id: int, body: Frame) -> Frame:
        """Writes the frame that carries `body` to one watch."""
        ...

    def decode_request(self, request: bytes, kind: type[message.Message]) -> bytes:
        """Returns a call's request as gRPC wants it. Raises proto_json.BadJson if it cannot be read."""
        ...

    def encode_response(self, response: bytes, kind: type[message.Message]) -> bytes:
        """Returns a call's response as this socket wants it."""
        ...


class View:
    """What is true of a build just now, encoded once for all who watch."""

    def __init__(self, view: build_view_pb2.BuildView) -> None:
        self.encoded = view.SerializeToString()
        self._json: str | None = None

    def json(self) -> str:
        if self._json is None:
            self._json = proto_json.text_of(build_view_pb2.BuildView.FromString(self.encoded))
        return self._json


class Piece:
    """A run of whole events, as bytes and, once somebody asked, as JSON."""

    __slots__ = ("_json", "events")

    def __init__(self, events: bytes) -> None:
        self.events = events
        self._json: str | None = None

    def json(self) -> str:
        """Returns the events as JSON objects joined by commas, converted at the first call only."""
        if self._json is None:
            response = runner_service_pb2.WatchBuildResponse.FromString(self.events)
            self._json = ",".join(proto_json.text_of(event) for event in response.events)
        return self._json


class ProtoCodec:
    """`cofounder.v1.proto`: binary frames; every event byte is the log's own."""

    def parse(self, data: Frame) -> frame_pb2.ClientFrame:
        if isinstance(data, str):
            raise BadFrame("a text frame on a socket that speaks protobuf")
        try:
            return frame_pb2.ClientFrame.FromString(data)
        except message.DecodeError as error:
            raise BadFrame("not a ClientFrame") from error

    def frame(self, message: frame_pb2.ServerFrame) -> bytes:
        return message.SerializeToString()

    def body(self, pieces: Iterable[Piece], *, through_sequence: int, view: View | None) -> bytes:
        parts = [piece.events for piece in pieces]
        if through_sequence:
            parts += (_THROUGH_TAG, _varint(through_sequence))
        if view is not None:
            parts += (_VIEW_TAG, _varint(len(view.encoded)), view.encoded)
        return b"".join(parts)

    def batch(self, watch_id: int, body: Frame) -> bytes:
        assert isinstance(body, bytes)
        watch = _WATCH_ID_TAG + _varint(watch_id) + _RESPONSE_TAG + _varint(len(body))
        return b"".join((_BATCH_TAG, _varint(len(watch) + len(body)), watch, body))

    def decode_request(self, request: bytes, kind: type[message.Message]) -> bytes:  # noqa: ARG002
        return request

    def encode_response(self, response: bytes, kind: type[message.Message]) -> bytes:  # noqa: ARG002
        return response


class JsonCodec:
    """`cofounder.v1.json`: text frames in canonical proto JSON; a piece is converted once for all its readers."""

    def parse(self, data: Frame) -> frame_pb2.ClientFrame:
        if isinstance(data, bytes):
            raise BadFrame("a binary frame on a socket that speaks JSON")
        try:
            document = proto_json.document_of(data)
            return _client_frame(document)
        except proto_json.BadJson as bad:
            raise BadFrame(f"not a ClientFrame in JSON: {bad}") from bad

    def frame(self, message: frame_pb2.ServerFrame) -> str:
        return proto_json.text_of(message)

    def body(self, pieces: Iterable[Piece], *, through_sequence: int, view: View | None) -> str:
        fields = []
        if events := ",".join(piece.json() for piece in pieces):
            fields.append(f'"events":[{events}]')
        if through_sequence:
            fields.append(f'"throughSequence":"{through_sequence}"')
        if view is not None:
            fields.append(f'"view":{view.json()}')
        return "{" + ",".join(fields) + "}"

    def batch(self, watch_id: int, body: Frame) -> str:
        return f'{{"batch":{{"watchId":{watch_id},"response":{body!s}}}}}'

    def decode_request(self, request: bytes, kind: type[message.Message]) -> bytes:
        try:
            text = request.decode()
        except UnicodeDecodeError:
            raise proto_json.BadJson("request", "must be UTF-8") from None
        return proto_json.message_of(proto_json.document_of(text), kind, depth=50).SerializeToString()

    def encode_response(self, response: bytes, kind: type[message.Message]) -> bytes:
        return proto_json.text_of(kind.FromString(response)).encode()


def cut(events: bytes, *, skip: int, max_bytes: int, most: int | None = None) -> tuple[int, int, int]:
    """Finds the next whole events that fit a frame, by walking tags and lengths only.

    Args:
        events: `WatchBuildResponse.events`, encoded, tags included.
        skip: how many events at the front are not wanted.
        max_bytes: stop before this many bytes; one event is always taken.
        most: stop after this many events; None for no such bound.

    Returns:
        The bounds of the bytes to send, and how many events they hold.

    Raises:
        BadEvents: the bytes are not a run of events, or hold no more than `skip`.
    """
    offset = 0
    for _ in range(skip):
        offset = _next(events, offset)
    start = offset
    count = 0
    while offset < len(events) and count != most:
        after = _next(events, offset)
        if count and after - start > max_bytes:
            break
        offset = after
        count += 1
    if not count:
        raise BadEvents("a stretch holds fewer events than its sequences say")
    return start, offset, count


def ended(watch_id: int, status: status_pb2.Status) -> frame_pb2.ServerFrame:
    return frame_pb2.ServerFrame(ended=frame_pb2.Ended(watch_id=watch_id, status=status))


def call_end(call_id: int, status: status_pb2.Status) -> frame_pb2.ServerFrame:
    return frame_pb2.ServerFrame(call_end=frame_pb2.CallEnd(call_id=call_id, status=status))


def _client_frame(document: proto_json.Document) -> frame_pb2.ClientFrame:
    try:
        return proto_json.message_of(document, frame_pb2.ClientFrame, depth=20)
    except proto_json.BadJson as bad:
        match document:
            case {"watch": {"request": _, **watch}}:
                # Whose watch it is can be read: then its fault is one of the watch, and not of the socket.
                frame = proto_json.message_of({**document, "watch": watch}, frame_pb2.ClientFrame, depth=20)
                raise BadWatch(frame, bad) from bad
        raise


def _next(events: bytes, offset: int) -> int:
    if offset >= len(events) or events[offset] != _EVENT_TAG:
        raise BadEvents("a stretch holds something other than events")
    length, start = _read_varint(events, offset + 1)
    if start + length > len(events):
        raise BadEvents("a stretch ends inside an event")
    return start + length


def _read_varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(data):
            break
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise BadEvents("a stretch ends inside a length")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
