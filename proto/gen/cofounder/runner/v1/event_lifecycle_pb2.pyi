import datetime

from cofounder.runner.v1 import build_pb2 as _build_pb2
from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttemptReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_REASON_UNSPECIFIED: _ClassVar[AttemptReason]
    ATTEMPT_REASON_WORKER_LOST: _ClassVar[AttemptReason]
    ATTEMPT_REASON_HANDED_BACK: _ClassVar[AttemptReason]
    ATTEMPT_REASON_UNPARKED: _ClassVar[AttemptReason]
ATTEMPT_REASON_UNSPECIFIED: AttemptReason
ATTEMPT_REASON_WORKER_LOST: AttemptReason
ATTEMPT_REASON_HANDED_BACK: AttemptReason
ATTEMPT_REASON_UNPARKED: AttemptReason

class BuildAccepted(_message.Message):
    __slots__ = ("project_id", "goal", "plan_slug", "rehearsal", "scenario", "budget_microdollars", "origin", "creator_id", "start_after_time")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    PLAN_SLUG_FIELD_NUMBER: _ClassVar[int]
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CREATOR_ID_FIELD_NUMBER: _ClassVar[int]
    START_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    goal: str
    plan_slug: str
    rehearsal: bool
    scenario: str
    budget_microdollars: int
    origin: _build_pb2.BuildOrigin
    creator_id: str
    start_after_time: _timestamp_pb2.Timestamp
    def __init__(self, project_id: _Optional[str] = ..., goal: _Optional[str] = ..., plan_slug: _Optional[str] = ..., rehearsal: _Optional[bool] = ..., scenario: _Optional[str] = ..., budget_microdollars: _Optional[int] = ..., origin: _Optional[_Union[_build_pb2.BuildOrigin, _Mapping]] = ..., creator_id: _Optional[str] = ..., start_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BuildQueued(_message.Message):
    __slots__ = ("cause",)
    class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CAUSE_UNSPECIFIED: _ClassVar[BuildQueued.Cause]
        CAUSE_SCHEDULE: _ClassVar[BuildQueued.Cause]
        CAUSE_DELAY: _ClassVar[BuildQueued.Cause]
    CAUSE_UNSPECIFIED: BuildQueued.Cause
    CAUSE_SCHEDULE: BuildQueued.Cause
    CAUSE_DELAY: BuildQueued.Cause
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    cause: BuildQueued.Cause
    def __init__(self, cause: _Optional[_Union[BuildQueued.Cause, str]] = ...) -> None: ...

class AttemptStarted(_message.Message):
    __slots__ = ("worker_id", "kept_through_sequence", "reason")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    KEPT_THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    kept_through_sequence: int
    reason: AttemptReason
    def __init__(self, worker_id: _Optional[str] = ..., kept_through_sequence: _Optional[int] = ..., reason: _Optional[_Union[AttemptReason, str]] = ...) -> None: ...

class AttemptFinished(_message.Message):
    __slots__ = ("next_state", "start_after_time")
    NEXT_STATE_FIELD_NUMBER: _ClassVar[int]
    START_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    next_state: _build_pb2.BuildState
    start_after_time: _timestamp_pb2.Timestamp
    def __init__(self, next_state: _Optional[_Union[_build_pb2.BuildState, str]] = ..., start_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StageStarted(_message.Message):
    __slots__ = ("stage", "iteration")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    stage: _stage_pb2.Stage
    iteration: int
    def __init__(self, stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., iteration: _Optional[int] = ...) -> None: ...

class StageFinished(_message.Message):
    __slots__ = ("stage", "iteration", "outcome", "summary", "tree_hash")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[StageFinished.Outcome]
        OUTCOME_DONE: _ClassVar[StageFinished.Outcome]
        OUTCOME_NEEDS_WORK: _ClassVar[StageFinished.Outcome]
    OUTCOME_UNSPECIFIED: StageFinished.Outcome
    OUTCOME_DONE: StageFinished.Outcome
    OUTCOME_NEEDS_WORK: StageFinished.Outcome
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    TREE_HASH_FIELD_NUMBER: _ClassVar[int]
    stage: _stage_pb2.Stage
    iteration: int
    outcome: StageFinished.Outcome
    summary: str
    tree_hash: bytes
    def __init__(self, stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., iteration: _Optional[int] = ..., outcome: _Optional[_Union[StageFinished.Outcome, str]] = ..., summary: _Optional[str] = ..., tree_hash: _Optional[bytes] = ...) -> None: ...

class Seal(_message.Message):
    __slots__ = ("log_root", "key_id", "signature")
    LOG_ROOT_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    log_root: bytes
    key_id: str
    signature: bytes
    def __init__(self, log_root: _Optional[bytes] = ..., key_id: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class BuildSucceeded(_message.Message):
    __slots__ = ("commit_sha", "summary", "seal")
    COMMIT_SHA_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    commit_sha: str
    summary: str
    seal: Seal
    def __init__(self, commit_sha: _Optional[str] = ..., summary: _Optional[str] = ..., seal: _Optional[_Union[Seal, _Mapping]] = ...) -> None: ...

class BuildPartial(_message.Message):
    __slots__ = ("commit_sha", "summary", "failures", "finish_quote_microdollars", "seal")
    COMMIT_SHA_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    FINISH_QUOTE_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    commit_sha: str
    summary: str
    failures: _containers.RepeatedScalarFieldContainer[str]
    finish_quote_microdollars: int
    seal: Seal
    def __init__(self, commit_sha: _Optional[str] = ..., summary: _Optional[str] = ..., failures: _Optional[_Iterable[str]] = ..., finish_quote_microdollars: _Optional[int] = ..., seal: _Optional[_Union[Seal, _Mapping]] = ...) -> None: ...

class BuildFailed(_message.Message):
    __slots__ = ("error", "seal")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    error: _status_pb2.Status
    seal: Seal
    def __init__(self, error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., seal: _Optional[_Union[Seal, _Mapping]] = ...) -> None: ...

class BuildCancelled(_message.Message):
    __slots__ = ("user_id", "seal")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    seal: Seal
    def __init__(self, user_id: _Optional[str] = ..., seal: _Optional[_Union[Seal, _Mapping]] = ...) -> None: ...
