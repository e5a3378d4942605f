"""The statuses that the gateway itself gives, in the shape of the server's own: code, reason, what to do next."""

from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cofounder.errors.v1 import error_reason_pb2

_DOMAIN = "cofounder.dev"
_PREFIX = "ERROR_REASON_"

# The transport's ways to say that there was no answer.
_OPAQUE = frozenset({code_pb2.UNAVAILABLE, code_pb2.CANCELLED})

OK = status_pb2.Status(code=code_pb2.OK)
CANCELLED = status_pb2.Status(code=code_pb2.CANCELLED, message="Ended at the browser's word.")


def too_many(limit: str, value: int) -> status_pb2.Status:
    """RESOURCE_EXHAUSTED: a limit of the socket is reached."""
    return _status(
        code_pb2.RESOURCE_EXHAUSTED,
        f"A socket carries at most {value} {limit} at once; end one first.",
        error_reason_pb2.ERROR_REASON_RATE_LIMITED,
        {"limit": limit, "value": str(value)},
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1)),
    )


def invalid(field: str, description: str) -> status_pb2.Status:
    """INVALID_ARGUMENT, naming the field."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    return _status(
        code_pb2.INVALID_ARGUMENT,
        f"{field}: {description}",
        error_reason_pb2.ERROR_REASON_INVALID_REQUEST,
        {},
        error_details_pb2.BadRequest(field_violations=[violation]),
    )


def not_callable(method: str) -> status_pb2.Status:
    """UNIMPLEMENTED: unknown, or not for browsers; the two look alike."""
    return _status(
        code_pb2.UNIMPLEMENTED,
        "This method cannot be called through a socket.",
        error_reason_pb2.ERROR_REASON_NOT_SERVED_YET,
        {"method": method[:200].rpartition("/")[2]},
    )


def bare(code: int, text: str) -> status_pb2.Status:
    """What the transport said, without what it knows of addresses (D-12): the server's own come with details."""
    if code in _OPAQUE:
        return _status(
            code_pb2.UNAVAILABLE,
            "The server cannot be reached just now; nothing is lost. Try again in a moment.",
            error_reason_pb2.ERROR_REASON_DEPENDENCY_UNAVAILABLE,
            {"dependency": "server"},
            error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1)),
        )
    if code in (code_pb2.INTERNAL, code_pb2.UNKNOWN):
        return status_pb2.Status(code=code, message="The server failed to answer.")
    return status_pb2.Status(code=code, message=text)


def internal(debug_id: str) -> status_pb2.Status:
    """INTERNAL: our fault, with an id to find it by (D-12)."""
    return _status(
        code_pb2.INTERNAL,
        f"Something went wrong in the gateway; report {debug_id}.",
        error_reason_pb2.ERROR_REASON_INTERNAL,
        {"debugId": debug_id},
    )


def _status(
    code: code_pb2.Code,
    text: str,
    reason: error_reason_pb2.ErrorReason,
    metadata: dict[str, str],
    *details: message.Message,
) -> status_pb2.Status:
    name = error_reason_pb2.ErrorReason.Name(reason).removeprefix(_PREFIX)
    info = error_details_pb2.ErrorInfo(reason=name, domain=_DOMAIN, metadata=metadata)
    return status_pb2.Status(code=int(code), message=text, details=[_packed(detail) for detail in (info, *details)])


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
