"""Requests out of bytes; where that fails, the field at fault is named."""

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from cofounder_server import errors

Request = TypeVar("Request", bound=Message)


def decode(kind: type[Request], body: bytes) -> Request:
    """Returns the request.

    Raises:
        InvalidRequest: The bytes are no such message; names the text field that is not UTF-8, if that is why.
    """
    try:
        return kind.FromString(body)
    except DecodeError:
        field = _broken_text(kind, body)
    if field:
        raise errors.InvalidRequest({field: "must be valid UTF-8, without lone surrogates"})
    raise errors.InvalidRequest({"request": f"cannot be read as {kind.DESCRIPTOR.full_name}"})


def _broken_text(kind: type[Message], body: bytes) -> str | None:
    try:
        for number, value in _texts(body):
            field = kind.DESCRIPTOR.fields_by_number.get(number)
            if field is not None and field.type == FieldDescriptor.TYPE_STRING and not _is_text(value):
                return field.name
    except IndexError:
        # Cut short before any broken text: the message as a whole is at fault.
        pass
    return None


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _texts(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the number and content of each length-delimited field. Raises IndexError where the bytes end too soon."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        match tag & 7:
            case 0:
                _, at = _varint(body, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(body, at)
                yield tag >> 3, body[at : at + length]
                at += length
            case 5:
                at += 4
            case _:
                raise IndexError(at)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while body[at] & 0x80:
        number |= (body[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise IndexError(at)
    return number | body[at] << shift, at + 1
