"""The codec: frames made by hand are those that protobuf would make, and cuts fall between events."""

import json
import random

import pytest
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_event_pb2, build_view_pb2, runner_service_pb2
from cofounder_gateway import frames

pytestmark = pytest.mark.unit


def response_of(*texts, first=1):
    response = runner_service_pb2.WatchBuildResponse()
    for number, text in enumerate(texts, first):
        event = response.events.add(sequence=number)
        event.text_delta.text = text
    return response


@pytest.mark.parametrize("through", [0, 1, 127, 128, 300, 2**53 - 1])
@pytest.mark.parametrize("watch_id", [1, 127, 128, 2**31 - 1])
def test_a_batch_made_by_hand_is_what_protobuf_makes(watch_id, through):
    view = build_view_pb2.BuildView(watchers=3)
    events = response_of("a", "b" * 200)
    body = frames.ProtoCodec().body(
        [frames.Piece(events.SerializeToString())], through_sequence=through, view=frames.View(view)
    )
    expected = frame_pb2.ServerFrame()
    expected.batch.watch_id = watch_id
    expected.batch.response.MergeFrom(events)
    expected.batch.response.through_sequence = through
    expected.batch.response.view.CopyFrom(view)
    assert frames.ProtoCodec().batch(watch_id, body) == expected.SerializeToString()


@pytest.mark.parametrize("texts", [(), ("a",), ("a", "b"), ('"', "\\", "\u2028", "\x00", "\U0001f469")])
def test_a_json_batch_is_canonical(texts):
    codec = frames.JsonCodec()
    view = build_view_pb2.BuildView(watchers=3)
    body = codec.body(
        [frames.Piece(response_of(text, first=n).SerializeToString()) for n, text in enumerate(texts, 1)],
        through_sequence=len(texts),
        view=frames.View(view),
    )
    expected = frame_pb2.ServerFrame()
    expected.batch.watch_id = 5
    expected.batch.response.MergeFrom(response_of(*texts))
    expected.batch.response.through_sequence = len(texts)
    expected.batch.response.view.CopyFrom(view)
    assert json.loads(codec.batch(5, body)) == json_format.MessageToDict(expected)


def test_a_piece_is_converted_to_json_once():
    piece = frames.Piece(response_of("a").SerializeToString())
    assert piece.json() is piece.json()


@pytest.mark.parametrize("seed", range(20))
def test_cuts_fall_between_events_and_lose_none(seed):
    chance = random.Random(seed)
    texts = [chance.choice("ab") * chance.choice([0, 1, 50, 127, 128, 129, 20_000]) for _ in range(30)]
    events = response_of(*texts).SerializeToString()
    cap = chance.choice([1, 100, 1_000, 10**6])
    at, found = 0, b""
    while at < 30:
        start, stop, count = frames.cut(events, skip=at, max_bytes=cap)
        assert count == 1 or stop - start <= cap
        parsed = runner_service_pb2.WatchBuildResponse.FromString(events[start:stop])
        assert [event.sequence for event in parsed.events] == list(range(at + 1, at + count + 1))
        found += events[start:stop]
        at += count
    assert found == events


@pytest.mark.parametrize("damage", [b"\x0a", b"\x0a\x05abc", b"\x12\x00", b"\x0a\xff", b"\x0a" + b"\xff" * 11])
def test_bytes_that_are_no_events_are_noticed(damage):
    with pytest.raises(frames.BadEvents):
        frames.cut(response_of("a").SerializeToString() + damage, skip=0, max_bytes=10**6)


def test_a_stretch_with_fewer_events_than_it_says_is_noticed():
    with pytest.raises(frames.BadEvents):
        frames.cut(response_of("a").SerializeToString(), skip=1, max_bytes=100)
    with pytest.raises(frames.BadEvents):
        frames.cut(b"", skip=0, max_bytes=100)


def test_an_unknown_kind_of_event_passes_as_bytes_and_as_json():
    event = build_event_pb2.BuildEvent(sequence=7).SerializeToString() + b"\xf8\x3e\x07"
    piece = frames.Piece(b"\x0a" + bytes([len(event)]) + event)
    body = frames.ProtoCodec().body([piece], through_sequence=7, view=None)
    assert event in body
    assert json.loads(piece.json()) == {"sequence": "7"}


def test_a_detail_of_a_type_that_only_a_later_version_knows_costs_itself_and_not_the_event():
    event = build_event_pb2.BuildEvent(sequence=7)
    known = any_pb2.Any()
    known.Pack(error_details_pb2.ErrorInfo(reason="BUDGET_SPENT"))
    later = any_pb2.Any(type_url="type.googleapis.com/cofounder.later.v9.Detail", value=b"x")
    event.build_failed.error.code = 8
    event.build_failed.error.details.extend([later, known])
    piece = frames.Piece(runner_service_pb2.WatchBuildResponse(events=[event]).SerializeToString())
    details = json.loads(piece.json())["buildFailed"]["error"]["details"]
    assert [detail["reason"] for detail in details] == ["BUDGET_SPENT"]
