"""The checker itself: a record that breaks a promise is caught by the promise's name."""

import pytest
from google.protobuf import json_format

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_testkit.checker import PromiseBroken, Record, check, check_all, check_fence, entries

pytestmark = pytest.mark.unit


def event(sequence: int, text: str = "x") -> bytes:
    return BuildEvent(sequence=sequence, text_delta=TextDelta(text=text)).SerializeToString()


def end(sequence: int) -> bytes:
    return BuildEvent(sequence=sequence, build_succeeded=BuildSucceeded()).SerializeToString()


def record(*events: bytes, watcher: str = "one") -> Record:
    return Record(watcher, list(events))


def test_a_whole_record_passes():
    assert len(check(record(event(1), event(2), end(3)))) == 3
    assert check_all([record(event(1), end(2)), record(event(1), end(2), watcher="two")]) == 2


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ([event(1), event(1), end(2)], "Unique"),
        ([event(2), event(1), end(3)], "Reliable"),
        ([event(1), event(3), end(4)], "Reliable"),
        ([event(1), event(2)], "Terminated"),
        ([event(1), end(2), event(3)], "Terminated"),
        ([end(1), end(2)], "Terminated"),
        ([], "Terminated"),
    ],
)
def test_a_broken_promise_is_named(broken, promise):
    with pytest.raises(PromiseBroken, match=promise):
        check(record(*broken))


def test_two_watchers_who_saw_different_bytes_are_told_apart():
    with pytest.raises(PromiseBroken, match="differ at event 1"):
        check_all([record(event(1, "a"), end(2)), record(event(1, "b"), end(2), watcher="two")])


def test_entries_are_taken_as_they_are_and_json_comes_back_to_the_same_bytes():
    events = [BuildEvent.FromString(event(1, "ä" * 300)), BuildEvent.FromString(end(2))]
    response = WatchBuildResponse(events=events, through_sequence=2).SerializeToString()
    assert entries(response) == [one.SerializeToString() for one in events]
    seen = Record("json")
    for one in events:
        seen.take_json(json_format.MessageToJson(one))
    assert seen.events == entries(response)


def test_an_append_by_whoever_lost_the_build_is_told_from_one_by_whoever_has_it():
    attempts = [BuildEvent(sequence=place, attempt=attempt) for place, attempt in enumerate((0, 1, 1, 2, 2), 1)]
    check_fence(attempts)
    with pytest.raises(PromiseBroken, match="Fenced: 6 is of attempt 1"):
        check_fence([*attempts, BuildEvent(sequence=6, attempt=1)])
