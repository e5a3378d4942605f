"""The JSON lines are canonical: the google runtime reads each back as the very event that was sent."""

import json

import pytest
from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from cofounder.runner.v1 import build_event_pb2, build_pb2, runner_service_pb2
from cofounder_cli import protojson
from cofounder_cli._gen.cofounder.runner import v1 as runner

KINDS = [field.name for field in build_event_pb2.BuildEvent.DESCRIPTOR.oneofs_by_name["kind"].fields]

_SCALARS = {
    FieldDescriptor.TYPE_STRING: 'line\nü 漢 👩‍💻 "q" \x7f \x1b[31m \u202e',
    FieldDescriptor.TYPE_BYTES: bytes(range(250, 256)) + b"\x00>>>???",
    FieldDescriptor.TYPE_INT32: -7,
    FieldDescriptor.TYPE_INT64: 2**53 + 1,
    FieldDescriptor.TYPE_UINT64: 2**63,
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_DOUBLE: 0.1,
}


def fill(message: Message) -> None:
    """Sets every field of a message, and of the messages in it, to something that is not its default."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = 1_790_000_000, 120_456_000
    elif name == "google.protobuf.Duration":
        message.seconds, message.nanos = 61, 5_040_000
    elif name == "google.protobuf.Any":
        message.Pack(error_details_pb2.ErrorInfo(reason="INTERNAL", domain="cofounder.dev", metadata={"debugId": "é"}))
    else:
        for field in message.DESCRIPTOR.fields:
            if field.containing_oneof is None:
                fill_field(message, field)


def fill_field(message: Message, field: FieldDescriptor) -> None:
    if field.message_type is not None:
        fill(getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name))
        if not field.is_repeated:
            getattr(message, field.name).SetInParent()
        return
    value = field.enum_type.values[-1].number if field.enum_type is not None else _SCALARS[field.type]
    if field.is_repeated:
        getattr(message, field.name).extend([value, value])
    else:
        setattr(message, field.name, value)


def event(kind: str, *, filled: bool) -> build_event_pb2.BuildEvent:
    made = build_event_pb2.BuildEvent(sequence=9_007_199_254_740_991, attempt=2, cause_sequence=3)
    fill(made.create_time)
    body = getattr(made, kind)
    body.SetInParent()
    if filled:
        fill(body)
    return made


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_is_written_as_the_google_runtime_writes_it(kind: str, filled: bool) -> None:
    sent = event(kind, filled=filled)
    line = protojson.to_line(runner.BuildEvent.parse(sent.SerializeToString()))
    assert line.isascii()
    assert line.isprintable()
    assert json_format.Parse(line, build_event_pb2.BuildEvent()) == sent
    assert json.loads(line) == json.loads(json_format.MessageToJson(sent))


@pytest.mark.parametrize(
    "response",
    [
        runner_service_pb2.StartBuildResponse(build=build_pb2.Build(build_id="b"), created=True),
        runner_service_pb2.CancelBuildResponse(sequence=4),
        runner_service_pb2.ListBuildsResponse(builds=[build_pb2.Build(build_id="a"), build_pb2.Build(build_id="b")]),
    ],
    ids=lambda response: response.DESCRIPTOR.name,
)
def test_the_objects_of_the_other_commands_are_canonical_too(response: Message) -> None:
    for build in [*getattr(response, "builds", []), *([response.build] if hasattr(response, "build") else [])]:
        fill(build)
    theirs = getattr(runner, response.DESCRIPTOR.name).parse(response.SerializeToString())
    assert json_format.Parse(protojson.to_line(theirs), type(response)()) == response


def test_a_detail_of_an_unknown_type_keeps_its_bytes_and_breaks_nothing() -> None:
    sent = event("build_failed", filled=True)
    sent.build_failed.error.details.append(any_pb2.Any(type_url="type.example/no.Such", value=b"\x01\x02"))
    parsed = runner.BuildEvent.parse(sent.SerializeToString())
    details = json.loads(protojson.to_line(parsed))["buildFailed"]["error"]["details"]
    assert details[1] == {"@type": "type.example/no.Such", "value": "AQI="}
    assert len(parsed.build_failed.error.details) == 2


def test_a_kind_and_an_enum_value_of_the_future_break_nothing() -> None:
    future = event("stage_started", filled=True)
    future.stage_started.stage = 77
    raw = future.SerializeToString() + b"\xc2\x3e\x02ab"  # field 1000, length-delimited
    line = protojson.to_line(runner.BuildEvent.parse(raw))
    assert json.loads(line)["stageStarted"]["stage"] == 77
    assert json_format.Parse(line, build_event_pb2.BuildEvent()) == future
