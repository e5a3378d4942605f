import datetime

from cofounder.runner.v1 import build_view_pb2 as _build_view_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuthorizeSessionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AuthorizeSessionResponse(_message.Message):
    __slots__ = ("user_id", "expire_time")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, user_id: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AuthorizeWatchRequest(_message.Message):
    __slots__ = ("build_id", "after_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    after_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class AuthorizeWatchResponse(_message.Message):
    __slots__ = ("expire_time", "last_sequence")
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    expire_time: _timestamp_pb2.Timestamp
    last_sequence: int
    def __init__(self, expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class RelayBuildsRequest(_message.Message):
    __slots__ = ("follow_build_ids", "unfollow_build_ids")
    FOLLOW_BUILD_IDS_FIELD_NUMBER: _ClassVar[int]
    UNFOLLOW_BUILD_IDS_FIELD_NUMBER: _ClassVar[int]
    follow_build_ids: _containers.RepeatedScalarFieldContainer[str]
    unfollow_build_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, follow_build_ids: _Optional[_Iterable[str]] = ..., unfollow_build_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RelayBuildsResponse(_message.Message):
    __slots__ = ("stretches", "views")
    STRETCHES_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    stretches: _containers.RepeatedCompositeFieldContainer[Stretch]
    views: _containers.RepeatedCompositeFieldContainer[RelayedView]
    def __init__(self, stretches: _Optional[_Iterable[_Union[Stretch, _Mapping]]] = ..., views: _Optional[_Iterable[_Union[RelayedView, _Mapping]]] = ...) -> None: ...

class Stretch(_message.Message):
    __slots__ = ("build_id", "after_sequence", "last_sequence", "events", "over", "error")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    after_sequence: int
    last_sequence: int
    events: bytes
    over: bool
    error: _status_pb2.Status
    def __init__(self, build_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., events: _Optional[bytes] = ..., over: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class RelayedView(_message.Message):
    __slots__ = ("build_id", "view")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    view: _build_view_pb2.BuildView
    def __init__(self, build_id: _Optional[str] = ..., view: _Optional[_Union[_build_view_pb2.BuildView, _Mapping]] = ...) -> None: ...

class ReadBuildLogRequest(_message.Message):
    __slots__ = ("build_id", "after_sequence", "max_bytes")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    after_sequence: int
    max_bytes: int
    def __init__(self, build_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class ReadBuildLogResponse(_message.Message):
    __slots__ = ("stretch", "head_sequence")
    STRETCH_FIELD_NUMBER: _ClassVar[int]
    HEAD_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    stretch: Stretch
    head_sequence: int
    def __init__(self, stretch: _Optional[_Union[Stretch, _Mapping]] = ..., head_sequence: _Optional[int] = ...) -> None: ...

class IssueDevelopmentTokenRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class IssueDevelopmentTokenResponse(_message.Message):
    __slots__ = ("token", "expire_time")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    token: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
