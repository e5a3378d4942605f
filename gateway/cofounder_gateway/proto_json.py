"""Proto JSON, read and written as the contract means it; what cannot be read is refused by the name of its field."""

import json
import re
from typing import Any, TypeVar, cast

from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Document = dict[str, Any]
T = TypeVar("T", bound=Message)

_INTEGERS = frozenset({FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64})
_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,18})")
# How the library names what it cannot read, from the outside in. Bounded: a name may be anything that a client sent,
# and goes into the reason of a close frame, which has room for 123 bytes.
_AT_FAULT = re.compile(r'Failed to parse (\w{1,40}) field|has no field named "(\w{1,40})"', re.ASCII)


class BadJson(ValueError):
    """JSON that is no such message. `field` is the one at fault as the contract names it, empty for the whole."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}" if field else text)
        self.field = field
        self.text = text


def document_of(text: str) -> Document:
    """Returns the object in a text; an empty text is an empty object. Raises BadJson."""
    try:
        found = json.loads(text or "{}", object_pairs_hook=_unique)
    # A document of many levels ends in RecursionError.
    except (ValueError, RecursionError):
        raise BadJson("", "cannot be read as JSON") from None
    if not isinstance(found, dict):
        raise BadJson("", "must be a JSON object")
    return found


def message_of(document: Document, kind: type[T], *, depth: int) -> T:
    """Returns the message that a document means. Raises BadJson."""
    _check_integers(document, cast(Descriptor, kind.DESCRIPTOR))
    try:
        return json_format.ParseDict(document, kind(), max_recursion_depth=depth)
    except json_format.ParseError as error:
        raise _named(str(error), kind) from None
    except (ValueError, RecursionError):
        raise BadJson("", f"cannot be read as {kind.DESCRIPTOR.full_name}") from None


def text_of(value: Message) -> str:
    """Returns a message as one line."""
    try:
        made = json_format.MessageToDict(value)
    except TypeError:
        # It holds an Any of a type that only a later version knows, which has no JSON here: the rest is sent.
        known = type(value)()
        known.CopyFrom(value)
        _forget_unknown(known)
        made = json_format.MessageToDict(known)
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _check_integers(document: Document, descriptor: Descriptor) -> None:
    """Refuses integers that are not written as such: null, `5.0` and `1e3` are no cursors (example 75)."""
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    for name, value in document.items():
        field = fields.get(name)
        if field is None or field.is_repeated:
            continue
        if field.cpp_type in _INTEGERS and not _is_integer(value):
            raise BadJson(field.name, "must be an integer, written in digits")
        if field.message_type is not None and isinstance(value, dict):
            _check_integers(value, field.message_type)


def _is_integer(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and _DIGITS.fullmatch(value) is not None)


def _named(said: str, kind: type[Message]) -> BadJson:
    names = [first or second for first, second in _AT_FAULT.findall(said)]
    if not names:
        return BadJson("", f"cannot be read as {kind.DESCRIPTOR.full_name}")
    field = re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", names[-1])
    if "surrogate" in said:
        return BadJson(field, "must be valid UTF-8, without lone surrogates")
    if "has no field named" in said:
        return BadJson(field, "is no field of this message; see the contract")
    return BadJson(field, "holds what this field cannot; see the contract")


def _forget_unknown(value: Message) -> None:
    """Takes every Any of an unknown type out of a message: in our contract they stand in lists, as details."""
    for descriptor, content in value.ListFields():
        if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
            continue
        if not descriptor.is_repeated:
            _forget_unknown(content)
        elif descriptor.message_type.full_name == any_pb2.Any.DESCRIPTOR.full_name:
            known = [detail for detail in content if _is_known(detail)]
            del content[:]
            content.extend(known)
        else:
            for item in content:
                _forget_unknown(item)


def _is_known(detail: any_pb2.Any) -> bool:
    try:
        json_format.MessageToDict(detail)
    except TypeError:
        return False
    return True
