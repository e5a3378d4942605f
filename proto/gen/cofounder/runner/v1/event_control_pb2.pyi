import datetime

from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QuestionAsked(_message.Message):
    __slots__ = ("question_id", "text", "choices", "expire_time", "default_choice", "shown_hash")
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CHOICE_FIELD_NUMBER: _ClassVar[int]
    SHOWN_HASH_FIELD_NUMBER: _ClassVar[int]
    question_id: str
    text: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    expire_time: _timestamp_pb2.Timestamp
    default_choice: str
    shown_hash: bytes
    def __init__(self, question_id: _Optional[str] = ..., text: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., default_choice: _Optional[str] = ..., shown_hash: _Optional[bytes] = ...) -> None: ...

class QuestionAnswered(_message.Message):
    __slots__ = ("question_id", "text", "user_id")
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    question_id: str
    text: str
    user_id: str
    def __init__(self, question_id: _Optional[str] = ..., text: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class SteerReceived(_message.Message):
    __slots__ = ("steer_id", "text", "user_id")
    STEER_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    steer_id: str
    text: str
    user_id: str
    def __init__(self, steer_id: _Optional[str] = ..., text: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class SteerApplied(_message.Message):
    __slots__ = ("steer_id", "stage")
    STEER_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    steer_id: str
    stage: _stage_pb2.Stage
    def __init__(self, steer_id: _Optional[str] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ...) -> None: ...

class BuildPaused(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class BuildResumed(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ConvergenceMeasured(_message.Message):
    __slots__ = ("signal", "evidence", "value", "limit", "tripped")
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    TRIPPED_FIELD_NUMBER: _ClassVar[int]
    signal: str
    evidence: str
    value: int
    limit: int
    tripped: bool
    def __init__(self, signal: _Optional[str] = ..., evidence: _Optional[str] = ..., value: _Optional[int] = ..., limit: _Optional[int] = ..., tripped: _Optional[bool] = ...) -> None: ...

class WarningRaised(_message.Message):
    __slots__ = ("code", "text")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: str
    def __init__(self, code: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class PreviewStarted(_message.Message):
    __slots__ = ("preview_id", "expire_time")
    PREVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    preview_id: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, preview_id: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PreviewStopped(_message.Message):
    __slots__ = ("preview_id", "reason")
    PREVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    preview_id: str
    reason: str
    def __init__(self, preview_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
