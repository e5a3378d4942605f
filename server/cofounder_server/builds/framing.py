"""Events as bytes: numbering and encoding them where they are appended, cutting encoded ones without decoding.

An encoded event is one entry of `WatchBuildResponse.events`: the tag of field 1, a length as a varint, the message.
"""

from collections.abc import Sequence
from datetime import datetime

from cofounder.runner.v1.build_event_pb2 import BuildEvent

# Field 1, length-delimited.
TAG = b"\x0a"


def varint(number: int) -> bytes:
    """Returns a non-negative number in protobuf's base 128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(events: Sequence[BuildEvent], *, after: int, time: datetime) -> bytes:
    """Numbers `events` from `after + 1`, stamps them with `time` and returns them encoded.

    The events themselves are changed: they are then what a reader will decode.
    """
    parts: list[bytes] = []
    for sequence, event in enumerate(events, after + 1):
        event.sequence = sequence
        event.create_time.FromDatetime(time)
        encoded = event.SerializeToString()
        parts += (TAG, varint(len(encoded)), encoded)
    return b"".join(parts)


def skip(body: bytes, count: int) -> bytes:
    """Returns `body` without its first `count` events, reading nothing but their lengths."""
    at = 0
    for _ in range(count):
        at += 1
        length = shift = 0
        while True:
            byte = body[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        at += length
    return body[at:]
