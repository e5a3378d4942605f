"""What can go wrong, as one tree, and its one form on the wire.

    CofounderError
    ├── InvalidRequest          a field of the request is wrong; names each
    ├── Unauthenticated         the token is missing, malformed, expired or not ours
    ├── RoleTooLow              the caller may see it, but not do this
    ├── NotFound                it does not exist, or the caller has no role in it: the two are one
    ├── RequestIdReused         the same request id came with another request
    ├── SequenceInFuture        the cursor lies beyond the log
    ├── EventsCompacted         the log no longer reaches back to the cursor
    ├── NotServedYet            the RPC is in the contract, not in this server
    ├── RateLimited             too many requests or streams at once
    ├── QueueFull               the queue takes no more builds just now
    ├── QuotaExceeded           the plan gives no more of something until a known time
    ├── BudgetInFlight          calls under way hold what is left of a limit; soon there is room
    ├── WrongState              the build is not in a state that allows this
    ├── ServerDraining          this server is about to stop; another will do
    ├── SlowReader              the reader of a stream took nothing for too long
    ├── DependencyUnavailable   Postgres, Redis or another peer cannot be reached
    ├── Internal                our fault; carries a debug id and nothing else
    └── BuildError              why a build ended in failure (terminal event)
        ├── ProviderFailed          the model's provider failed
        ├── ProviderRateLimited     the provider limits us
        ├── InvalidModelOutput      the model's answers could not be used
        ├── WorkersLost             worker after worker was lost with the build
        ├── SandboxUnavailable      no sandbox may run this here
        ├── BudgetSpent             the build's hard cap is reached
        └── NoConvergence           the agents went round in circles

Terminal events and RPCs carry the same `google.rpc.Status`, made by `to_status`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cofounder.errors.v1 import error_reason_pb2

DOMAIN = "cofounder.dev"


class CofounderError(Exception):
    """The root. Its text is for people: what happened, what it means, what to do next.

    Args:
        text: Without secrets, addresses or names of other people's things.
        metadata: What a program needs to act; its keys are part of the contract.
        retry_after: Seconds after which trying again may help. None: waiting does not help.
        violations: What is wrong, by field.
    """

    code: ClassVar[int] = code_pb2.INTERNAL
    reason: ClassVar[int] = error_reason_pb2.ERROR_REASON_INTERNAL

    def __init__(
        self,
        text: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        violations: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.violations = dict(violations or {})


class InvalidRequest(CofounderError):
    code = code_pb2.INVALID_ARGUMENT
    reason = error_reason_pb2.ERROR_REASON_INVALID_REQUEST

    def __init__(self, violations: Mapping[str, str]) -> None:
        listed = "; ".join(f"{field}: {fault}" for field, fault in violations.items())
        super().__init__(f"The request was refused and changed nothing. {listed}", violations=violations)


class Unauthenticated(CofounderError):
    code = code_pb2.UNAUTHENTICATED
    reason = error_reason_pb2.ERROR_REASON_UNAUTHENTICATED

    def __init__(self, text: str = "No valid bearer token came with the request. Sign in and try again.") -> None:
        super().__init__(text)


class RoleTooLow(CofounderError):
    code = code_pb2.PERMISSION_DENIED
    reason = error_reason_pb2.ERROR_REASON_ROLE_TOO_LOW

    def __init__(self, *, role: str, needed: str) -> None:
        text = f"This needs the role {needed} in the project; yours is {role}. Ask its owner."
        super().__init__(text, metadata={"role": role, "needed": needed})


# Why what is there may be as what is not, by the kind of resource.
_NO_ROLE = "you have no role in its project"
_OUT_OF_REACH = {"project": "you have no role in it", "user": "only an admin may ask about it"}


class NotFound(CofounderError):
    code = code_pb2.NOT_FOUND
    reason = error_reason_pb2.ERROR_REASON_NOT_FOUND

    def __init__(self, resource: str, resource_id: str) -> None:
        text = f"There is no {resource} {resource_id}, or {_OUT_OF_REACH.get(resource, _NO_ROLE)}. Check the id."
        super().__init__(text, metadata={"resource": resource, "id": resource_id})


class RequestIdReused(CofounderError):
    code = code_pb2.ALREADY_EXISTS
    reason = error_reason_pb2.ERROR_REASON_REQUEST_ID_REUSED

    def __init__(self, request_id: str) -> None:
        text = "This request_id was used for another request. Make a new one for what you mean now."
        super().__init__(text, metadata={"requestId": request_id})


class SequenceInFuture(CofounderError):
    code = code_pb2.OUT_OF_RANGE
    reason = error_reason_pb2.ERROR_REASON_SEQUENCE_IN_FUTURE

    def __init__(self, *, build_id: str, last_sequence: int) -> None:
        text = f"The log ends at {last_sequence}; the cursor is of another build or environment. Watch after it."
        super().__init__(text, metadata={"buildId": build_id, "lastSequence": str(last_sequence)})


class EventsCompacted(CofounderError):
    code = code_pb2.OUT_OF_RANGE
    reason = error_reason_pb2.ERROR_REASON_EVENTS_COMPACTED

    def __init__(self, *, build_id: str, oldest_sequence: int) -> None:
        text = f"The log now begins at {oldest_sequence}. Draw GetBuild's snapshot and watch after it."
        super().__init__(text, metadata={"buildId": build_id, "oldestSequence": str(oldest_sequence)})


class NotServedYet(CofounderError):
    code = code_pb2.UNIMPLEMENTED
    reason = error_reason_pb2.ERROR_REASON_NOT_SERVED_YET

    def __init__(self, method: str) -> None:
        super().__init__(
            f"{method} is in the contract, but this server does not serve it.", metadata={"method": method}
        )


class RateLimited(CofounderError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_RATE_LIMITED

    def __init__(self, *, limit: str, value: int, retry_after: float) -> None:
        text = f"Too many {limit} at once: {value} are allowed. Try again a little later."
        super().__init__(text, metadata={"limit": limit, "value": str(value)}, retry_after=retry_after)


class QueueFull(CofounderError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_QUEUE_FULL

    def __init__(self, *, queued: int, retry_after: float) -> None:
        text = f"{queued} builds wait already, so this one was not accepted. Try again a little later."
        super().__init__(text, metadata={"queued": str(queued)}, retry_after=retry_after)


class QuotaExceeded(CofounderError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_QUOTA_EXCEEDED

    def __init__(self, *, quota: str, limit: int, plan: str, reset_time: datetime, now: datetime) -> None:
        given = f"{limit} {quota.replace('_', ' ')}"
        super().__init__(
            f"The plan {plan} gives {given}, and these are spent until {reset_time:%F %R} UTC. Nothing was started. "
            "Wait until then, or choose a larger plan.",
            metadata={
                "quota": quota,
                "limit": str(limit),
                "plan": plan,
                "resetTime": f"{reset_time.astimezone(UTC):%FT%TZ}",
            },
            retry_after=max(0.0, (reset_time - now).total_seconds()),
        )
        self.quota = quota
        self.reset_time = reset_time


class BudgetInFlight(CofounderError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_BUDGET_IN_FLIGHT

    def __init__(self, *, retry_after: float) -> None:
        text = "Calls under way hold what is left of the budget. Try again once they have ended."
        super().__init__(text, retry_after=retry_after)


class WrongState(CofounderError):
    code = code_pb2.FAILED_PRECONDITION
    reason = error_reason_pb2.ERROR_REASON_WRONG_STATE

    def __init__(self, *, build_id: str, state: str, needed: str) -> None:
        text = f"The build is {state}, and this needs one that is {needed}. Nothing was changed."
        super().__init__(text, metadata={"buildId": build_id, "state": state})


class ServerDraining(CofounderError):
    code = code_pb2.UNAVAILABLE
    reason = error_reason_pb2.ERROR_REASON_SERVER_DRAINING

    def __init__(self) -> None:
        super().__init__("This server is about to stop. Go on after your cursor; another serves you.", retry_after=0.1)


class SlowReader(CofounderError):
    code = code_pb2.UNAVAILABLE
    reason = error_reason_pb2.ERROR_REASON_SLOW_READER

    def __init__(self, *, seconds: float) -> None:
        text = f"Nothing was read for {seconds:g} s, so this stream was ended. Go on after your cursor."
        super().__init__(text, retry_after=1.0)


class DependencyUnavailable(CofounderError):
    code = code_pb2.UNAVAILABLE
    reason = error_reason_pb2.ERROR_REASON_DEPENDENCY_UNAVAILABLE

    def __init__(self, dependency: str, *, retry_after: float = 1.0) -> None:
        text = f"{dependency} cannot be reached just now. Nothing was changed; try again."
        super().__init__(text, metadata={"dependency": dependency.lower()}, retry_after=retry_after)


class Internal(CofounderError):
    def __init__(self, debug_id: str) -> None:
        text = f"Something failed on our side. Report the debug id {debug_id}."
        super().__init__(text, metadata={"debugId": debug_id})


class BuildError(CofounderError):
    """Why a build ended in failure; its status stands in the terminal event."""


class ProviderFailed(BuildError):
    code = code_pb2.UNAVAILABLE
    reason = error_reason_pb2.ERROR_REASON_PROVIDER_FAILED

    def __init__(self, *, kind: str, retry_after: float | None = None) -> None:
        text = f"The model's provider failed ({kind}). What was built so far is kept; start the build again."
        super().__init__(text, metadata={"kind": kind}, retry_after=retry_after)


class ProviderRateLimited(BuildError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_PROVIDER_RATE_LIMITED

    def __init__(self, *, retry_after: float, queue_depth: int) -> None:
        text = "The model's provider limits how much may be asked just now. Start the build again later."
        super().__init__(text, metadata={"queueDepth": str(queue_depth)}, retry_after=retry_after)


class InvalidModelOutput(BuildError):
    code = code_pb2.INTERNAL
    reason = error_reason_pb2.ERROR_REASON_INVALID_MODEL_OUTPUT

    def __init__(self, *, stage: str) -> None:
        text = f"The model's answers in the stage {stage} could not be used. Start the build again or reword the goal."
        super().__init__(text, metadata={"stage": stage})


class WorkersLost(BuildError):
    code = code_pb2.ABORTED
    reason = error_reason_pb2.ERROR_REASON_WORKERS_LOST

    def __init__(self, *, crashes: int) -> None:
        text = f"{crashes} workers were lost with this build, one after another, so it was stopped. Start it again."
        super().__init__(text, metadata={"crashes": str(crashes)})


class SandboxUnavailable(BuildError):
    code = code_pb2.FAILED_PRECONDITION
    reason = error_reason_pb2.ERROR_REASON_SANDBOX_UNAVAILABLE

    def __init__(self, *, isolation: str) -> None:
        text = "Model-written code may not run here: no sandbox can keep it apart. Allow user namespaces on the worker."
        super().__init__(text, metadata={"isolation": isolation})


class BudgetSpent(BuildError):
    code = code_pb2.RESOURCE_EXHAUSTED
    reason = error_reason_pb2.ERROR_REASON_BUDGET_SPENT

    def __init__(self, *, spent: int, cap: int) -> None:
        text = f"The build's budget of ${cap / 1e6:.2f} leaves no room for another call; ${spent / 1e6:.2f} are spent."
        super().__init__(f"{text} What was built so far is kept. Start it again with a larger budget.")


class NoConvergence(BuildError):
    code = code_pb2.ABORTED
    reason = error_reason_pb2.ERROR_REASON_NO_CONVERGENCE

    def __init__(self, evidence: str) -> None:
        super().__init__(f"The agents went round in circles: {evidence} Reword the goal or steer the next build.")


def reason_name(reason: int) -> str:
    """Returns the reason as it stands in `ErrorInfo`: `EVENTS_COMPACTED`."""
    return error_reason_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def to_status(error: CofounderError) -> status_pb2.Status:
    """Returns the error's one form on the wire, for RPCs and terminal events alike."""
    status = status_pb2.Status(code=error.code, message=error.text)
    info = error_details_pb2.ErrorInfo(reason=reason_name(error.reason), domain=DOMAIN, metadata=error.metadata)
    status.details.add().Pack(info)
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(0, round(error.retry_after * 1000)))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if isinstance(error, QuotaExceeded):
        violation = error_details_pb2.QuotaFailure.Violation(subject=error.metadata["plan"], description=error.quota)
        status.details.add().Pack(error_details_pb2.QuotaFailure(violations=[violation]))
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=fault)
            for field, fault in error.violations.items()
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=fields))
    return status
