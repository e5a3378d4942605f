import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FileChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_CHANGE_UNSPECIFIED: _ClassVar[FileChange]
    FILE_CHANGE_CREATED: _ClassVar[FileChange]
    FILE_CHANGE_MODIFIED: _ClassVar[FileChange]
FILE_CHANGE_UNSPECIFIED: FileChange
FILE_CHANGE_CREATED: FileChange
FILE_CHANGE_MODIFIED: FileChange

class FileOpened(_message.Message):
    __slots__ = ("path", "generation_id", "language")
    PATH_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    generation_id: str
    language: str
    def __init__(self, path: _Optional[str] = ..., generation_id: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class FileDelta(_message.Message):
    __slots__ = ("path", "text")
    PATH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    path: str
    text: str
    def __init__(self, path: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class FileWritten(_message.Message):
    __slots__ = ("path", "size_bytes", "sha256", "change")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    size_bytes: int
    sha256: bytes
    change: FileChange
    def __init__(self, path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., change: _Optional[_Union[FileChange, str]] = ...) -> None: ...

class FileDeleted(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class CommandStarted(_message.Message):
    __slots__ = ("command_id", "argv", "isolation")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    argv: _containers.RepeatedScalarFieldContainer[str]
    isolation: str
    def __init__(self, command_id: _Optional[str] = ..., argv: _Optional[_Iterable[str]] = ..., isolation: _Optional[str] = ...) -> None: ...

class CommandOutput(_message.Message):
    __slots__ = ("command_id", "channel", "text")
    class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CHANNEL_UNSPECIFIED: _ClassVar[CommandOutput.Channel]
        CHANNEL_STDOUT: _ClassVar[CommandOutput.Channel]
        CHANNEL_STDERR: _ClassVar[CommandOutput.Channel]
    CHANNEL_UNSPECIFIED: CommandOutput.Channel
    CHANNEL_STDOUT: CommandOutput.Channel
    CHANNEL_STDERR: CommandOutput.Channel
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    channel: CommandOutput.Channel
    text: str
    def __init__(self, command_id: _Optional[str] = ..., channel: _Optional[_Union[CommandOutput.Channel, str]] = ..., text: _Optional[str] = ...) -> None: ...

class CommandFinished(_message.Message):
    __slots__ = ("command_id", "exit_code", "reason", "elapsed")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[CommandFinished.Reason]
        REASON_EXITED: _ClassVar[CommandFinished.Reason]
        REASON_WALL_CLOCK: _ClassVar[CommandFinished.Reason]
        REASON_OUTPUT_LIMIT: _ClassVar[CommandFinished.Reason]
        REASON_MEMORY: _ClassVar[CommandFinished.Reason]
        REASON_KILLED: _ClassVar[CommandFinished.Reason]
    REASON_UNSPECIFIED: CommandFinished.Reason
    REASON_EXITED: CommandFinished.Reason
    REASON_WALL_CLOCK: CommandFinished.Reason
    REASON_OUTPUT_LIMIT: CommandFinished.Reason
    REASON_MEMORY: CommandFinished.Reason
    REASON_KILLED: CommandFinished.Reason
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    exit_code: int
    reason: CommandFinished.Reason
    elapsed: _duration_pb2.Duration
    def __init__(self, command_id: _Optional[str] = ..., exit_code: _Optional[int] = ..., reason: _Optional[_Union[CommandFinished.Reason, str]] = ..., elapsed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FailedTest(_message.Message):
    __slots__ = ("name", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    message: str
    def __init__(self, name: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class TestReported(_message.Message):
    __slots__ = ("command_id", "passed", "failed", "skipped", "failures")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    passed: int
    failed: int
    skipped: int
    failures: _containers.RepeatedCompositeFieldContainer[FailedTest]
    def __init__(self, command_id: _Optional[str] = ..., passed: _Optional[int] = ..., failed: _Optional[int] = ..., skipped: _Optional[int] = ..., failures: _Optional[_Iterable[_Union[FailedTest, _Mapping]]] = ...) -> None: ...

class CommitCreated(_message.Message):
    __slots__ = ("sha", "branch", "message", "files_changed", "insertions", "deletions")
    SHA_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    INSERTIONS_FIELD_NUMBER: _ClassVar[int]
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    sha: str
    branch: str
    message: str
    files_changed: int
    insertions: int
    deletions: int
    def __init__(self, sha: _Optional[str] = ..., branch: _Optional[str] = ..., message: _Optional[str] = ..., files_changed: _Optional[int] = ..., insertions: _Optional[int] = ..., deletions: _Optional[int] = ...) -> None: ...

class CommitPushed(_message.Message):
    __slots__ = ("remote", "branch", "sha")
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    SHA_FIELD_NUMBER: _ClassVar[int]
    remote: str
    branch: str
    sha: str
    def __init__(self, remote: _Optional[str] = ..., branch: _Optional[str] = ..., sha: _Optional[str] = ...) -> None: ...
