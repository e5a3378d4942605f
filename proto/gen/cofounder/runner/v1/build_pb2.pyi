import datetime

from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUILD_STATE_UNSPECIFIED: _ClassVar[BuildState]
    BUILD_STATE_SCHEDULED: _ClassVar[BuildState]
    BUILD_STATE_QUEUED: _ClassVar[BuildState]
    BUILD_STATE_STARTING: _ClassVar[BuildState]
    BUILD_STATE_RUNNING: _ClassVar[BuildState]
    BUILD_STATE_WAITING: _ClassVar[BuildState]
    BUILD_STATE_PAUSED: _ClassVar[BuildState]
    BUILD_STATE_SUCCEEDED: _ClassVar[BuildState]
    BUILD_STATE_PARTIAL: _ClassVar[BuildState]
    BUILD_STATE_FAILED: _ClassVar[BuildState]
    BUILD_STATE_CANCELLED: _ClassVar[BuildState]
BUILD_STATE_UNSPECIFIED: BuildState
BUILD_STATE_SCHEDULED: BuildState
BUILD_STATE_QUEUED: BuildState
BUILD_STATE_STARTING: BuildState
BUILD_STATE_RUNNING: BuildState
BUILD_STATE_WAITING: BuildState
BUILD_STATE_PAUSED: BuildState
BUILD_STATE_SUCCEEDED: BuildState
BUILD_STATE_PARTIAL: BuildState
BUILD_STATE_FAILED: BuildState
BUILD_STATE_CANCELLED: BuildState

class Build(_message.Message):
    __slots__ = ("build_id", "project_id", "goal", "state", "stage", "attempt", "last_sequence", "oldest_sequence", "error", "create_time", "start_time", "finish_time", "creator_id", "plan_slug", "rehearsal", "scenario", "cost_microdollars", "budget_microdollars", "origin", "commit_sha", "repository_uri", "start_after_time")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATOR_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_SLUG_FIELD_NUMBER: _ClassVar[int]
    REHEARSAL_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    COST_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    COMMIT_SHA_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_URI_FIELD_NUMBER: _ClassVar[int]
    START_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    project_id: str
    goal: str
    state: BuildState
    stage: _stage_pb2.Stage
    attempt: int
    last_sequence: int
    oldest_sequence: int
    error: _status_pb2.Status
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    creator_id: str
    plan_slug: str
    rehearsal: bool
    scenario: str
    cost_microdollars: int
    budget_microdollars: int
    origin: BuildOrigin
    commit_sha: str
    repository_uri: str
    start_after_time: _timestamp_pb2.Timestamp
    def __init__(self, build_id: _Optional[str] = ..., project_id: _Optional[str] = ..., goal: _Optional[str] = ..., state: _Optional[_Union[BuildState, str]] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., attempt: _Optional[int] = ..., last_sequence: _Optional[int] = ..., oldest_sequence: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator_id: _Optional[str] = ..., plan_slug: _Optional[str] = ..., rehearsal: _Optional[bool] = ..., scenario: _Optional[str] = ..., cost_microdollars: _Optional[int] = ..., budget_microdollars: _Optional[int] = ..., origin: _Optional[_Union[BuildOrigin, _Mapping]] = ..., commit_sha: _Optional[str] = ..., repository_uri: _Optional[str] = ..., start_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BuildOrigin(_message.Message):
    __slots__ = ("build_id", "sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    sequence: int
    def __init__(self, build_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...
