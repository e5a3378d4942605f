import datetime

from cofounder.runner.v1 import build_pb2 as _build_pb2
from cofounder.runner.v1 import build_event_pb2 as _build_event_pb2
from cofounder.runner.v1 import build_files_pb2 as _build_files_pb2
from cofounder.runner.v1 import build_snapshot_pb2 as _build_snapshot_pb2
from cofounder.runner.v1 import build_view_pb2 as _build_view_pb2
from cofounder.runner.v1 import event_control_pb2 as _event_control_pb2
from cofounder.runner.v1 import interview_pb2 as _interview_pb2
from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartBuildRequest(_message.Message):
    __slots__ = ("project_id", "goal", "request_id", "scenario", "budget_microdollars", "base_build_id")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    BASE_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    goal: str
    request_id: str
    scenario: str
    budget_microdollars: int
    base_build_id: str
    def __init__(self, project_id: _Optional[str] = ..., goal: _Optional[str] = ..., request_id: _Optional[str] = ..., scenario: _Optional[str] = ..., budget_microdollars: _Optional[int] = ..., base_build_id: _Optional[str] = ...) -> None: ...

class StartBuildResponse(_message.Message):
    __slots__ = ("build", "created")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    created: bool
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...

class QuoteBuildRequest(_message.Message):
    __slots__ = ("project_id", "goal")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    goal: str
    def __init__(self, project_id: _Optional[str] = ..., goal: _Optional[str] = ...) -> None: ...

class QuoteBuildResponse(_message.Message):
    __slots__ = ("cost_microdollars", "cost_high_microdollars", "duration", "duration_high", "sample_size")
    COST_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    COST_HIGH_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DURATION_HIGH_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SIZE_FIELD_NUMBER: _ClassVar[int]
    cost_microdollars: int
    cost_high_microdollars: int
    duration: _duration_pb2.Duration
    duration_high: _duration_pb2.Duration
    sample_size: int
    def __init__(self, cost_microdollars: _Optional[int] = ..., cost_high_microdollars: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., duration_high: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., sample_size: _Optional[int] = ...) -> None: ...

class GetBuildRequest(_message.Message):
    __slots__ = ("build_id",)
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    def __init__(self, build_id: _Optional[str] = ...) -> None: ...

class GetBuildResponse(_message.Message):
    __slots__ = ("build", "snapshot", "view")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    snapshot: _build_snapshot_pb2.BuildSnapshot
    view: _build_view_pb2.BuildView
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., snapshot: _Optional[_Union[_build_snapshot_pb2.BuildSnapshot, _Mapping]] = ..., view: _Optional[_Union[_build_view_pb2.BuildView, _Mapping]] = ...) -> None: ...

class ListBuildsRequest(_message.Message):
    __slots__ = ("project_id", "page_size", "page_token")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    page_size: int
    page_token: str
    def __init__(self, project_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBuildsResponse(_message.Message):
    __slots__ = ("builds", "next_page_token")
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    builds: _containers.RepeatedCompositeFieldContainer[_build_pb2.Build]
    next_page_token: str
    def __init__(self, builds: _Optional[_Iterable[_Union[_build_pb2.Build, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchBuildRequest(_message.Message):
    __slots__ = ("build_id", "after_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    after_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class WatchBuildResponse(_message.Message):
    __slots__ = ("events", "through_sequence", "view")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_build_event_pb2.BuildEvent]
    through_sequence: int
    view: _build_view_pb2.BuildView
    def __init__(self, events: _Optional[_Iterable[_Union[_build_event_pb2.BuildEvent, _Mapping]]] = ..., through_sequence: _Optional[int] = ..., view: _Optional[_Union[_build_view_pb2.BuildView, _Mapping]] = ...) -> None: ...

class ListBuildEventsRequest(_message.Message):
    __slots__ = ("build_id", "page_size", "page_token", "after_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    page_size: int
    page_token: str
    after_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class ListBuildEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_build_event_pb2.BuildEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_build_event_pb2.BuildEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelBuildRequest(_message.Message):
    __slots__ = ("build_id",)
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    def __init__(self, build_id: _Optional[str] = ...) -> None: ...

class CancelBuildResponse(_message.Message):
    __slots__ = ("build", "sequence")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class PauseBuildRequest(_message.Message):
    __slots__ = ("build_id",)
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    def __init__(self, build_id: _Optional[str] = ...) -> None: ...

class PauseBuildResponse(_message.Message):
    __slots__ = ("build", "sequence")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class ResumeBuildRequest(_message.Message):
    __slots__ = ("build_id",)
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    def __init__(self, build_id: _Optional[str] = ...) -> None: ...

class ResumeBuildResponse(_message.Message):
    __slots__ = ("build", "sequence")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class SteerBuildRequest(_message.Message):
    __slots__ = ("build_id", "text", "request_id")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    text: str
    request_id: str
    def __init__(self, build_id: _Optional[str] = ..., text: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SteerBuildResponse(_message.Message):
    __slots__ = ("build", "sequence")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class AnswerQuestionRequest(_message.Message):
    __slots__ = ("build_id", "question_id", "text", "shown_hash")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_HASH_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    question_id: str
    text: str
    shown_hash: bytes
    def __init__(self, build_id: _Optional[str] = ..., question_id: _Optional[str] = ..., text: _Optional[str] = ..., shown_hash: _Optional[bytes] = ...) -> None: ...

class AnswerQuestionResponse(_message.Message):
    __slots__ = ("build", "sequence", "answer")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    answer: _event_control_pb2.QuestionAnswered
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ..., answer: _Optional[_Union[_event_control_pb2.QuestionAnswered, _Mapping]] = ...) -> None: ...

class ForkBuildRequest(_message.Message):
    __slots__ = ("build_id", "at_sequence", "request_id", "instruction", "model", "budget_microdollars")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    at_sequence: int
    request_id: str
    instruction: str
    model: str
    budget_microdollars: int
    def __init__(self, build_id: _Optional[str] = ..., at_sequence: _Optional[int] = ..., request_id: _Optional[str] = ..., instruction: _Optional[str] = ..., model: _Optional[str] = ..., budget_microdollars: _Optional[int] = ...) -> None: ...

class ForkBuildResponse(_message.Message):
    __slots__ = ("build", "created")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    created: bool
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...

class StepBuildRequest(_message.Message):
    __slots__ = ("build_id", "stage", "request_id")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    stage: _stage_pb2.Stage
    request_id: str
    def __init__(self, build_id: _Optional[str] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class StepBuildResponse(_message.Message):
    __slots__ = ("build",)
    BUILD_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ...) -> None: ...

class DeleteBuildRequest(_message.Message):
    __slots__ = ("build_id", "fork_ids")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    FORK_IDS_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    fork_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, build_id: _Optional[str] = ..., fork_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteBuildResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBuildFilesRequest(_message.Message):
    __slots__ = ("build_id", "at_sequence", "page_size", "page_token")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    at_sequence: int
    page_size: int
    page_token: str
    def __init__(self, build_id: _Optional[str] = ..., at_sequence: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBuildFilesResponse(_message.Message):
    __slots__ = ("files", "next_page_token")
    FILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[_build_snapshot_pb2.FileState]
    next_page_token: str
    def __init__(self, files: _Optional[_Iterable[_Union[_build_snapshot_pb2.FileState, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetBuildFileRequest(_message.Message):
    __slots__ = ("build_id", "path", "at_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    path: str
    at_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., path: _Optional[str] = ..., at_sequence: _Optional[int] = ...) -> None: ...

class GetBuildFileResponse(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: _build_snapshot_pb2.FileState
    content: bytes
    def __init__(self, file: _Optional[_Union[_build_snapshot_pb2.FileState, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class DiffBuildsRequest(_message.Message):
    __slots__ = ("before", "after")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    before: _build_files_pb2.BuildPoint
    after: _build_files_pb2.BuildPoint
    def __init__(self, before: _Optional[_Union[_build_files_pb2.BuildPoint, _Mapping]] = ..., after: _Optional[_Union[_build_files_pb2.BuildPoint, _Mapping]] = ...) -> None: ...

class DiffBuildsResponse(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[_build_files_pb2.FileDiff]
    def __init__(self, files: _Optional[_Iterable[_Union[_build_files_pb2.FileDiff, _Mapping]]] = ...) -> None: ...

class DownloadBuildRequest(_message.Message):
    __slots__ = ("build_id", "format", "at_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    format: _build_files_pb2.ArchiveFormat
    at_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., format: _Optional[_Union[_build_files_pb2.ArchiveFormat, str]] = ..., at_sequence: _Optional[int] = ...) -> None: ...

class DownloadBuildResponse(_message.Message):
    __slots__ = ("chunk", "file_name")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    file_name: str
    def __init__(self, chunk: _Optional[bytes] = ..., file_name: _Optional[str] = ...) -> None: ...

class PushBuildRequest(_message.Message):
    __slots__ = ("build_id", "remote", "branch", "credential_id", "request_id")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    remote: str
    branch: str
    credential_id: str
    request_id: str
    def __init__(self, build_id: _Optional[str] = ..., remote: _Optional[str] = ..., branch: _Optional[str] = ..., credential_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PushBuildResponse(_message.Message):
    __slots__ = ("build", "sequence")
    BUILD_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build: _build_pb2.Build
    sequence: int
    def __init__(self, build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class ExplainFileRequest(_message.Message):
    __slots__ = ("build_id", "path")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    path: str
    def __init__(self, build_id: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class ExplainFileResponse(_message.Message):
    __slots__ = ("whys",)
    WHYS_FIELD_NUMBER: _ClassVar[int]
    whys: _containers.RepeatedCompositeFieldContainer[_build_files_pb2.Why]
    def __init__(self, whys: _Optional[_Iterable[_Union[_build_files_pb2.Why, _Mapping]]] = ...) -> None: ...

class StartPreviewRequest(_message.Message):
    __slots__ = ("build_id", "at_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    at_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., at_sequence: _Optional[int] = ...) -> None: ...

class StartPreviewResponse(_message.Message):
    __slots__ = ("preview_id", "uri")
    PREVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    preview_id: str
    uri: str
    def __init__(self, preview_id: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class StopPreviewRequest(_message.Message):
    __slots__ = ("build_id", "preview_id")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    preview_id: str
    def __init__(self, build_id: _Optional[str] = ..., preview_id: _Optional[str] = ...) -> None: ...

class StopPreviewResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
