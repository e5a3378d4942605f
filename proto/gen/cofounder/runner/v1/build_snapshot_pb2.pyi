import datetime

from cofounder.runner.v1 import build_pb2 as _build_pb2
from cofounder.runner.v1 import event_agent_pb2 as _event_agent_pb2
from cofounder.runner.v1 import event_control_pb2 as _event_control_pb2
from cofounder.runner.v1 import event_work_pb2 as _event_work_pb2
from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildSnapshot(_message.Message):
    __slots__ = ("through_sequence", "build", "stage_runs", "plan", "files", "commands", "tests", "usage", "open_questions", "open_steers", "commits", "warnings", "drafts", "generations", "marks")
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    STAGE_RUNS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    OPEN_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_STEERS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DRAFTS_FIELD_NUMBER: _ClassVar[int]
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    through_sequence: int
    build: _build_pb2.Build
    stage_runs: _containers.RepeatedCompositeFieldContainer[StageRun]
    plan: _event_agent_pb2.PlanProposed
    files: _containers.RepeatedCompositeFieldContainer[FileState]
    commands: _containers.RepeatedCompositeFieldContainer[CommandRun]
    tests: _event_work_pb2.TestReported
    usage: UsageTotal
    open_questions: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.QuestionAsked]
    open_steers: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.SteerReceived]
    commits: _containers.RepeatedCompositeFieldContainer[_event_work_pb2.CommitCreated]
    warnings: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.WarningRaised]
    drafts: _containers.RepeatedCompositeFieldContainer[FileDraft]
    generations: _containers.RepeatedCompositeFieldContainer[GenerationText]
    marks: _containers.RepeatedCompositeFieldContainer[StageMark]
    def __init__(self, through_sequence: _Optional[int] = ..., build: _Optional[_Union[_build_pb2.Build, _Mapping]] = ..., stage_runs: _Optional[_Iterable[_Union[StageRun, _Mapping]]] = ..., plan: _Optional[_Union[_event_agent_pb2.PlanProposed, _Mapping]] = ..., files: _Optional[_Iterable[_Union[FileState, _Mapping]]] = ..., commands: _Optional[_Iterable[_Union[CommandRun, _Mapping]]] = ..., tests: _Optional[_Union[_event_work_pb2.TestReported, _Mapping]] = ..., usage: _Optional[_Union[UsageTotal, _Mapping]] = ..., open_questions: _Optional[_Iterable[_Union[_event_control_pb2.QuestionAsked, _Mapping]]] = ..., open_steers: _Optional[_Iterable[_Union[_event_control_pb2.SteerReceived, _Mapping]]] = ..., commits: _Optional[_Iterable[_Union[_event_work_pb2.CommitCreated, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_event_control_pb2.WarningRaised, _Mapping]]] = ..., drafts: _Optional[_Iterable[_Union[FileDraft, _Mapping]]] = ..., generations: _Optional[_Iterable[_Union[GenerationText, _Mapping]]] = ..., marks: _Optional[_Iterable[_Union[StageMark, _Mapping]]] = ...) -> None: ...

class StageRun(_message.Message):
    __slots__ = ("stage", "iteration", "attempt", "start_time", "finish_time", "summary", "needs_work", "voided", "start_sequence")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    NEEDS_WORK_FIELD_NUMBER: _ClassVar[int]
    VOIDED_FIELD_NUMBER: _ClassVar[int]
    START_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    stage: _stage_pb2.Stage
    iteration: int
    attempt: int
    start_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    summary: str
    needs_work: bool
    voided: bool
    start_sequence: int
    def __init__(self, stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., iteration: _Optional[int] = ..., attempt: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., summary: _Optional[str] = ..., needs_work: _Optional[bool] = ..., voided: _Optional[bool] = ..., start_sequence: _Optional[int] = ...) -> None: ...

class FileState(_message.Message):
    __slots__ = ("path", "size_bytes", "sha256", "sequence")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    path: str
    size_bytes: int
    sha256: bytes
    sequence: int
    def __init__(self, path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., sequence: _Optional[int] = ...) -> None: ...

class FileDraft(_message.Message):
    __slots__ = ("path", "generation_id", "opened_sequence", "characters")
    PATH_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    OPENED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    path: str
    generation_id: str
    opened_sequence: int
    characters: int
    def __init__(self, path: _Optional[str] = ..., generation_id: _Optional[str] = ..., opened_sequence: _Optional[int] = ..., characters: _Optional[int] = ...) -> None: ...

class CommandRun(_message.Message):
    __slots__ = ("command_id", "argv", "output_tail", "output_omitted", "finished", "start_sequence")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TAIL_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_OMITTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    START_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    argv: _containers.RepeatedScalarFieldContainer[str]
    output_tail: str
    output_omitted: int
    finished: _event_work_pb2.CommandFinished
    start_sequence: int
    def __init__(self, command_id: _Optional[str] = ..., argv: _Optional[_Iterable[str]] = ..., output_tail: _Optional[str] = ..., output_omitted: _Optional[int] = ..., finished: _Optional[_Union[_event_work_pb2.CommandFinished, _Mapping]] = ..., start_sequence: _Optional[int] = ...) -> None: ...

class GenerationText(_message.Message):
    __slots__ = ("generation_id", "stage", "model", "text_tail", "text_omitted", "voided", "start_sequence")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_TAIL_FIELD_NUMBER: _ClassVar[int]
    TEXT_OMITTED_FIELD_NUMBER: _ClassVar[int]
    VOIDED_FIELD_NUMBER: _ClassVar[int]
    START_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    stage: _stage_pb2.Stage
    model: str
    text_tail: str
    text_omitted: int
    voided: bool
    start_sequence: int
    def __init__(self, generation_id: _Optional[str] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., model: _Optional[str] = ..., text_tail: _Optional[str] = ..., text_omitted: _Optional[int] = ..., voided: _Optional[bool] = ..., start_sequence: _Optional[int] = ...) -> None: ...

class StageMark(_message.Message):
    __slots__ = ("sequence", "stage", "iteration", "attempt", "tree_hash", "plan", "files", "tests", "commits", "warnings", "open_questions", "open_steers")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TREE_HASH_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    TESTS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    OPEN_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_STEERS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    stage: _stage_pb2.Stage
    iteration: int
    attempt: int
    tree_hash: bytes
    plan: _event_agent_pb2.PlanProposed
    files: _containers.RepeatedCompositeFieldContainer[FileState]
    tests: _event_work_pb2.TestReported
    commits: _containers.RepeatedCompositeFieldContainer[_event_work_pb2.CommitCreated]
    warnings: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.WarningRaised]
    open_questions: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.QuestionAsked]
    open_steers: _containers.RepeatedCompositeFieldContainer[_event_control_pb2.SteerReceived]
    def __init__(self, sequence: _Optional[int] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., iteration: _Optional[int] = ..., attempt: _Optional[int] = ..., tree_hash: _Optional[bytes] = ..., plan: _Optional[_Union[_event_agent_pb2.PlanProposed, _Mapping]] = ..., files: _Optional[_Iterable[_Union[FileState, _Mapping]]] = ..., tests: _Optional[_Union[_event_work_pb2.TestReported, _Mapping]] = ..., commits: _Optional[_Iterable[_Union[_event_work_pb2.CommitCreated, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_event_control_pb2.WarningRaised, _Mapping]]] = ..., open_questions: _Optional[_Iterable[_Union[_event_control_pb2.QuestionAsked, _Mapping]]] = ..., open_steers: _Optional[_Iterable[_Union[_event_control_pb2.SteerReceived, _Mapping]]] = ...) -> None: ...

class UsageTotal(_message.Message):
    __slots__ = ("calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_microdollars")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_READ_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_microdollars: int
    def __init__(self, calls: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cache_read_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., cost_microdollars: _Optional[int] = ...) -> None: ...
