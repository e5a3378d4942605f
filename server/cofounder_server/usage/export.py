"""Metered calls as a file: for a spreadsheet, which must run none of it, or for a program."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import cast

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from cofounder.usage.v1 import usage_service_pb2 as pb

# What makes a spreadsheet take a cell for a formula: these signs, also in full width, first or behind blanks; and
# control characters at the beginning, which end a cell in some.
_FORMULA = re.compile(r"[\t\r\n]|[\s\x00-\x1f\ufeff]*[=+\-@＝＋－＠]")
_COLUMNS = cast(Sequence[FieldDescriptor], pb.UsageRecord.DESCRIPTOR.fields)


def csv_header() -> bytes:
    """Returns the first line of a CSV file: the names of a record's fields."""
    return _lines([[column.name for column in _COLUMNS]])


def csv_lines(records: Sequence[pb.UsageRecord]) -> bytes:
    """Returns a line of CSV (RFC 4180) for each record, with no cell that a spreadsheet would run."""
    return _lines([[_cell(record, column) for column in _COLUMNS] for record in records])


def json_lines(records: Sequence[pb.UsageRecord]) -> bytes:
    """Returns a line of the contract's JSON for each record: every field, 64-bit numbers as strings."""
    return b"".join(_json(record) + b"\n" for record in records)


def neutral(text: str) -> str:
    """Returns `text` so that a spreadsheet shows it and does not run it (example 139)."""
    return f"'{text}" if _FORMULA.match(text) else text


def _cell(record: pb.UsageRecord, column: FieldDescriptor) -> str:
    value = getattr(record, column.name)
    if column.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if column.type == FieldDescriptor.TYPE_MESSAGE:
        return str(value.ToJsonString())
    return neutral(value) if isinstance(value, str) else str(value)


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _json(record: pb.UsageRecord) -> bytes:
    fields = json_format.MessageToDict(record, always_print_fields_with_no_presence=True)
    return json.dumps(fields, separators=(",", ":")).encode()
