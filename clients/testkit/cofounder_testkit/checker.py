"""Checks what a watcher saw against what a watch promises, one promise by name at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from google.protobuf import json_format

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse

TERMINAL = frozenset({"build_succeeded", "build_partial", "build_failed", "build_cancelled"})


class PromiseBroken(Exception):
    """A promise did not hold; the text names it, the watcher and the evidence."""


@dataclass(slots=True)
class Record:
    """What one watcher saw: the encoded events, in the order of their arrival."""

    watcher: str
    events: list[bytes] = field(default_factory=list)
    # How often its connection was cut, by it or by others.
    cuts: int = 0

    def take_body(self, response: bytes) -> int:
        """Takes an encoded WatchBuildResponse, its events untouched; returns its `through_sequence`."""
        self.events += entries(response)
        return WatchBuildResponse.FromString(response).through_sequence

    def take_json(self, text: str) -> None:
        """Takes an event as proto JSON, and encodes it again."""
        self.events.append(json_format.Parse(text, BuildEvent()).SerializeToString())

    def decoded(self) -> list[BuildEvent]:
        return [BuildEvent.FromString(event) for event in self.events]


def entries(response: bytes) -> list[bytes]:
    """Returns the entries of field 1 of an encoded message, as they are."""
    found, at = [], 0
    while at < len(response):
        tag, at = varint(response, at)
        if tag & 7 == 0:
            _, at = varint(response, at)
            continue
        if tag & 7 != 2:
            raise ValueError(f"wire type {tag & 7} is none of WatchBuildResponse's")
        length, at = varint(response, at)
        if tag >> 3 == 1:
            found.append(response[at : at + length])
        at += length
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number at `at` in protobuf's base 128, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def check(record: Record, *, after: int = 0) -> list[BuildEvent]:
    """Returns the events of a record that holds all promises of one watch that ran to its end.

    Raises:
        PromiseBroken: Ordered, Unique, Reliable or Terminated does not hold.
    """
    events = record.decoded()
    expected = after + 1
    for event in events:
        if event.sequence < expected:
            raise PromiseBroken(f"Unique, Ordered: {record.watcher} got {event.sequence} where {expected} was next")
        if event.sequence > expected:
            raise PromiseBroken(f"Reliable: {record.watcher} got {event.sequence} where {expected} was next")
        expected += 1
    ends = [event.sequence for event in events if event.WhichOneof("kind") in TERMINAL]
    if ends != [expected - 1]:
        raise PromiseBroken(f"Terminated: {record.watcher} saw terminal events at {ends}, its last is {expected - 1}")
    return events


def check_fence(events: Sequence[BuildEvent]) -> None:
    """Checks that nobody appended after another had taken the build over.

    Raises:
        PromiseBroken: Fenced does not hold.
    """
    newest = 0
    for event in events:
        if event.attempt < newest:
            raise PromiseBroken(f"Fenced: {event.sequence} is of attempt {event.attempt}, and {newest} had begun")
        newest = event.attempt


def check_all(records: Sequence[Record]) -> int:
    """Checks each record, and that all saw the same bytes; returns how many events there are.

    Raises:
        PromiseBroken: As `check`, or Durable: two watchers saw different events.
    """
    for record in records:
        check(record)
    first = records[0]
    for record in records[1:]:
        place = _first_difference(first.events, record.events)
        if place is not None:
            raise PromiseBroken(f"Durable: {first.watcher} and {record.watcher} differ at event {place + 1}")
    return len(first.events)


def _first_difference(one: Sequence[bytes], other: Sequence[bytes]) -> int | None:
    pairs: Iterable[tuple[bytes, bytes]] = zip(one, other, strict=False)
    for place, (left, right) in enumerate(pairs):
        if left != right:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))
