"""Turns what went wrong into three short sentences: what happened, what it means, what to do next."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2

from cofounder_cli import figures
from cofounder_cli.failure import EXIT_OTHER, EXIT_USAGE
from cofounder_cli.terminal import clean_line

if TYPE_CHECKING:
    from grpclib import GRPCError

    from cofounder_cli._gen.google.rpc import Status

_INVALID_ARGUMENT = 3
_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An error of the server, or of a build, taken apart. All text is as it came: clean it before printing."""

    code: int
    message: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    retry_delay: float | None = None
    """Seconds after which to try again, where the server said so."""
    fields: Sequence[tuple[str, str]] = ()
    """Names of bad fields of the request, each with what is wrong."""
    quotas: Sequence[tuple[str, str]] = ()
    """Subjects of spent quotas, each with a description."""

    @property
    def exit_code(self) -> int:
        return EXIT_USAGE if self.code == _INVALID_ARGUMENT else EXIT_OTHER


def of_call(error: "GRPCError") -> Fault:
    """Takes an RPC's error apart."""
    return _fault(error.status.value, error.message or "", error.details or ())


def of_build(status: "Status") -> Fault:
    """Takes apart the error that a build ended with."""
    return _fault(status.code, status.message, _unpacked(status))


def _unpacked(status: "Status") -> Iterable[Any]:
    for detail in status.details:
        packed = AnyMessage(type_url=detail.type_url, value=detail.value)
        for known in _DETAILS:
            if packed.Is(known.DESCRIPTOR):
                message = known()
                packed.Unpack(message)
                yield message


_DETAILS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.QuotaFailure,
)


def _fault(code: int, message: str, details: Iterable[Any]) -> Fault:
    found: dict[str, Any] = {}
    for detail in details:
        match detail:
            case error_details_pb2.ErrorInfo():
                found |= {"reason": detail.reason, "metadata": dict(detail.metadata)}
            case error_details_pb2.RetryInfo():
                found["retry_delay"] = detail.retry_delay.ToTimedelta() / datetime.timedelta(seconds=1)
            case error_details_pb2.BadRequest():
                found["fields"] = [(bad.field, bad.description) for bad in detail.field_violations]
            case error_details_pb2.QuotaFailure():
                found["quotas"] = [(spent.subject, spent.description) for spent in detail.violations]
    return Fault(code=code, message=message, **found)


def sentences(fault: Fault, *, correlation_id: str = "") -> str:
    """Writes a fault for a person, clean and in at most a few lines.

    `correlation_id` finds the call in the logs; it is shown only where the fault is the server's and names no other id.
    """
    # The server's text says it all for those who read nothing else; only what it leaves out is added.
    named = [(name, what) for name, what in (*fault.fields, *fault.quotas) if what not in fault.message]
    lines = [_what(fault), *(f"  {clean_line(name)}: {clean_line(what)}" for name, what in named)]
    explained = bool(fault.reason and fault.message)
    next_step = _NEXT.get(fault.reason, "" if explained else _NEXT_BY_CODE.get(fault.code, ""))
    meaning_and_next = next_step.format_map(_Values(fault))
    wait = f"Try again in {figures.elapsed(fault.retry_delay)}." if fault.retry_delay else ""
    lines.append(" ".join(part for part in (meaning_and_next, wait) if part))
    if debug := fault.metadata.get("debugId") or (correlation_id if fault.code in (2, 13) else ""):
        lines.append(f"Debug id: {clean_line(debug)}")
    return "\n".join(line for line in lines if line.strip())


def _what(fault: Fault) -> str:
    name = _CODES[fault.code] if 0 <= fault.code < len(_CODES) else f"code {fault.code}"
    mark = fault.reason or name
    return f"{clean_line(fault.message) or 'The server gave no message'} ({clean_line(mark)})"


class _Values(dict[str, str]):
    """The values of a sentence's blanks: the fault's metadata, with a word for what is missing."""

    def __init__(self, fault: Fault) -> None:
        super().__init__({key: clean_line(value) for key, value in fault.metadata.items()})

    def __missing__(self, key: str) -> str:
        return "unknown"


# What a person at this terminal can do beyond what the server says: its texts know no options and no commands.
_NEXT = {
    "EVENTS_COMPACTED": "Watch with --after {oldestSequence} or later.",
    "SEQUENCE_IN_FUTURE": "Leave --after out to see the whole log.",
    "QUOTA_EXCEEDED": "Nothing was started. It is free again at {resetTime}.",
    "INVALID_REQUEST": "Mend what is named and run the command again.",
    "NOT_FOUND": "`cofounder builds` lists those in which this token has a role.",
    "UNAUTHENTICATED": "Set COFOUNDER_TOKEN, or point COFOUNDER_TOKEN_FILE at a fresh token.",
    "REQUEST_ID_REUSED": "Leave --request-id out to start a new build.",
    "SANDBOX_UNAVAILABLE": "The README says more, under Sandbox.",
    "BUDGET_SPENT": "Start it again with a higher --budget.",
}
# What is said where an error does not explain itself: it came from something between the server and here.
_NEXT_BY_CODE = {
    _INVALID_ARGUMENT: _NEXT["INVALID_REQUEST"],
    4: "The server took too long. What it accepted is not lost; run the same command again.",
    5: _NEXT["NOT_FOUND"],
    7: "This token may not do that.",
    8: "A limit is reached.",
    12: "This server does not offer it.",
    13: "This is a fault of the server, not of your request.",
    14: "The server cannot be reached or is being replaced. Nothing is lost; run the same command again.",
    16: _NEXT["UNAUTHENTICATED"],
}
