"""What can go wrong with a call of a model, as one exception of few kinds, and what each kind asks for (E-2)."""

import email.utils
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import anthropic
import httpx2

from cofounder_server import errors

Kind = Literal[
    "rate_limited",
    "overloaded",
    "transient",
    "timeout",
    "auth",
    "billing",
    "invalid_request",
    "too_large",
    "refused",
    "truncated",
    "bad_output",
    "unknown",
]

# No wait that a provider asks for is believed beyond a day.
LONGEST_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of fault asks for.

    Args:
        retries: How often at most, beside the limit on attempts. None: that limit alone.
        try_later: Seconds after which a new build may fare better. None: waiting does not help.
        platform_borne: Whether the platform bears what a broken attempt cost; else the user does.
    """

    retries: int | None
    try_later: float | None = None
    platform_borne: bool = True


RULES: dict[Kind, Rule] = {
    "rate_limited": Rule(None, 60.0),
    "overloaded": Rule(None, 60.0),
    "transient": Rule(None, 60.0),
    "timeout": Rule(None, 60.0),
    "truncated": Rule(2, 60.0),
    "bad_output": Rule(1, 60.0),
    "unknown": Rule(1, 60.0),
    "auth": Rule(0),
    "billing": Rule(0),
    "invalid_request": Rule(0),
    "too_large": Rule(0),
    "refused": Rule(0, platform_borne=False),
}

_BY_TYPE: dict[str, Kind] = {
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "api_error": "transient",
    "timeout_error": "timeout",
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "billing",
    "invalid_request_error": "invalid_request",
    "not_found_error": "invalid_request",
    "request_too_large": "too_large",
}

_BY_STATUS: dict[int, Kind] = {
    400: "invalid_request",
    401: "auth",
    402: "billing",
    403: "auth",
    404: "invalid_request",
    408: "timeout",
    409: "transient",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limited",
    504: "timeout",
    529: "overloaded",
}

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class ProviderFault(Exception):
    """One attempt failed. Holds no text of the provider's: it may name what is not for everybody.

    Args:
        kind: Which fault.
        retry_after: Seconds that the provider asked us to wait, if it did.
        metered: Whether the provider may bill the attempt: it took the request and did not refuse it at once.
        request_id: The provider's id of the request, for support.
        detail: Our own word for what was seen, for the log.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        retry_after: float | None = None,
        metered: bool = True,
        request_id: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind: Kind = kind
        self.retry_after = retry_after
        self.metered = metered
        self.request_id = request_id
        self.detail = detail

    @property
    def rule(self) -> Rule:
        return RULES[self.kind]

    def as_build_error(self) -> errors.BuildError:
        """Returns what ends the build when no further attempt is made."""
        if self.kind == "rate_limited":
            return errors.ProviderRateLimited(retry_after=self.retry_after or 60.0, queue_depth=0)
        return errors.ProviderFailed(kind=self.kind, retry_after=self.retry_after or self.rule.try_later)


def fault_of(error: Exception, *, now: datetime) -> ProviderFault:
    """Returns the fault that an exception of the SDK or of its transport stands for.

    A broken stream has four faces: a status error with status 200, a transport error, a timeout, and no error at all
    (that one is seen by `answer.Answer`).
    """
    name = type(error).__name__
    if isinstance(error, ProviderFault):
        return error
    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error, now)
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    metered = not isinstance(cause, _NEVER_SENT)
    if isinstance(error, TimeoutError | anthropic.APITimeoutError | httpx2.TimeoutException):
        return ProviderFault("timeout", metered=metered, detail=name)
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError | httpx2.StreamError):
        return ProviderFault("transient", metered=metered, detail=name)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return ProviderFault("transient", detail=name)
    if isinstance(error, anthropic.APIError):
        return ProviderFault("bad_output", detail=name)
    return ProviderFault("unknown", detail=name)


def _of_status(error: anthropic.APIStatusError, now: datetime) -> ProviderFault:
    status = error.status_code
    kind = _BY_TYPE.get(str(error.type)) or _BY_STATUS.get(status)
    if kind is None:
        kind = "transient" if status >= 500 else "unknown"
    return ProviderFault(
        kind,
        retry_after=retry_after(error.response.headers, now=now),
        # An error inside of a stream comes with the status 200 of the stream: it was metered until then.
        metered=status < 400,
        request_id=error.request_id or "",
        detail=f"{type(error).__name__} {status} {error.type or ''}".strip(),
    )


def retry_after(headers: httpx2.Headers, *, now: datetime) -> float | None:
    """Returns the longest wait in seconds that the headers ask for; None if they ask for none that makes sense."""
    waits = [_number(value, 0.001) for value in headers.get_list("retry-after-ms")]
    for value in headers.get_list("retry-after"):
        number = _number(value, 1.0)
        waits.append(_until(value, now) if number is None else number)
    known = [wait for wait in waits if wait is not None]
    return min(max(known), LONGEST_RETRY_AFTER) if known else None


def _number(value: str, unit: float) -> float | None:
    try:
        seconds = float(value) * unit
    except ValueError:
        return None
    return None if math.isnan(seconds) or seconds < 0 else seconds


def _until(value: str, now: datetime) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
