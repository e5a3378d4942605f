"""Canonical protobuf JSON of our messages, one line each, as any protobuf runtime reads it back.

The generated code has a writer of its own, but that one names `cache_write_5m_tokens` wrongly, leaves durations without
their groups of three digits, and knows no error detail; so the messages are walked here.
"""

import base64
import dataclasses
import datetime
import functools
import json
from typing import Any

import betterproto2
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2  # noqa: F401  registers the details that an error may carry

from cofounder_cli._gen.google import protobuf

_MICROSECOND = datetime.timedelta(microseconds=1)


def to_line(message: betterproto2.Message) -> str:
    """Returns `message` as one line of ASCII without a newline."""
    return in_a_line(to_object(message))


def in_a_line(document: dict[str, Any]) -> str:
    """Returns a dictionary of canonical JSON as one line of ASCII without a newline.

    What is beyond ASCII is escaped, so that the line survives every terminal, locale and log: none of its bytes can
    steer a terminal.
    """
    line = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return line.replace("\x7f", "\\u007f")


def to_object(message: betterproto2.Message) -> dict[str, Any]:
    """Returns `message` as the dictionary that canonical JSON is written from. Unknown fields are left out."""
    if isinstance(message, protobuf.Any):
        return _any(message.type_url, message.value)
    document: dict[str, Any] = {}
    for name, json_name, meta in _fields(type(message)):
        value = getattr(message, name)
        if value is None or (not meta.optional and not value):
            continue
        whole = isinstance(value, list)
        document[json_name] = [_value(item, meta) for item in value] if whole else _value(value, meta)
    return document


def _value(value: Any, meta: betterproto2.FieldMetadata) -> Any:
    match value:
        case betterproto2.Message():
            return to_object(value)
        case datetime.datetime():
            instant = value.astimezone(datetime.UTC)
            return f"{instant:%Y-%m-%dT%H:%M:%S}{_fraction(instant.microsecond)}Z"
        case datetime.timedelta():
            seconds, micros = divmod(abs(value) // _MICROSECOND, 1_000_000)
            sign = "-" if value < datetime.timedelta() else ""
            return f"{sign}{seconds}{_fraction(micros)}s"
        case betterproto2.Enum():
            # A value that is newer than this program has neither name.
            return (value.proto_name or value.name) if value.name else int(value)
        case bytes():
            return base64.b64encode(value).decode()
        case int() if meta.proto_type in betterproto2.INT_64_TYPES:
            return str(value)
    return value


def _fraction(micros: int) -> str:
    if micros == 0:
        return ""
    return f".{micros // 1000:03}" if micros % 1000 == 0 else f".{micros:06}"


def _any(type_url: str, value: bytes) -> dict[str, Any]:
    try:
        return json_format.MessageToDict(any_pb2.Any(type_url=type_url, value=value))
    except (TypeError, ValueError):
        # No canonical form exists for a type that the writer does not know; keep its bytes readable.
        return {"@type": type_url, "value": base64.b64encode(value).decode()}


@functools.cache
def _fields(kind: type[betterproto2.Message]) -> tuple[tuple[str, str, betterproto2.FieldMetadata], ...]:
    return tuple(
        (field.name, _json_name(field.name), betterproto2.FieldMetadata.get(field))
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    )


def _json_name(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
