import datetime

from cofounder.runner.v1 import runner_service_pb2 as _runner_service_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientFrame(_message.Message):
    __slots__ = ("hello", "watch", "unwatch", "call", "hangup", "renew")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    UNWATCH_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    HANGUP_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    watch: Watch
    unwatch: Unwatch
    call: Call
    hangup: Hangup
    renew: Renew
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., watch: _Optional[_Union[Watch, _Mapping]] = ..., unwatch: _Optional[_Union[Unwatch, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., hangup: _Optional[_Union[Hangup, _Mapping]] = ..., renew: _Optional[_Union[Renew, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("watch_id", "request", "min_interval_ms")
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    MIN_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    request: _runner_service_pb2.WatchBuildRequest
    min_interval_ms: int
    def __init__(self, watch_id: _Optional[int] = ..., request: _Optional[_Union[_runner_service_pb2.WatchBuildRequest, _Mapping]] = ..., min_interval_ms: _Optional[int] = ...) -> None: ...

class Unwatch(_message.Message):
    __slots__ = ("watch_id",)
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    def __init__(self, watch_id: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("call_id", "method", "request")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    method: str
    request: bytes
    def __init__(self, call_id: _Optional[int] = ..., method: _Optional[str] = ..., request: _Optional[bytes] = ...) -> None: ...

class Hangup(_message.Message):
    __slots__ = ("call_id",)
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    def __init__(self, call_id: _Optional[int] = ...) -> None: ...

class Renew(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class ServerFrame(_message.Message):
    __slots__ = ("ready", "batch", "ended", "leave", "call_part", "call_end", "heartbeat")
    READY_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    CALL_PART_FIELD_NUMBER: _ClassVar[int]
    CALL_END_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ready: Ready
    batch: Batch
    ended: Ended
    leave: Leave
    call_part: CallPart
    call_end: CallEnd
    heartbeat: Heartbeat
    def __init__(self, ready: _Optional[_Union[Ready, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., ended: _Optional[_Union[Ended, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ..., call_part: _Optional[_Union[CallPart, _Mapping]] = ..., call_end: _Optional[_Union[CallEnd, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("user_id", "token_expire_time", "heartbeat_interval")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    token_expire_time: _timestamp_pb2.Timestamp
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, user_id: _Optional[str] = ..., token_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("watch_id", "response")
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    response: _runner_service_pb2.WatchBuildResponse
    def __init__(self, watch_id: _Optional[int] = ..., response: _Optional[_Union[_runner_service_pb2.WatchBuildResponse, _Mapping]] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("watch_id", "status")
    WATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    watch_id: int
    status: _status_pb2.Status
    def __init__(self, watch_id: _Optional[int] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class CallPart(_message.Message):
    __slots__ = ("call_id", "response")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    response: bytes
    def __init__(self, call_id: _Optional[int] = ..., response: _Optional[bytes] = ...) -> None: ...

class CallEnd(_message.Message):
    __slots__ = ("call_id", "status")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    status: _status_pb2.Status
    def __init__(self, call_id: _Optional[int] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("send_time",)
    SEND_TIME_FIELD_NUMBER: _ClassVar[int]
    send_time: _timestamp_pb2.Timestamp
    def __init__(self, send_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Leave(_message.Message):
    __slots__ = ("action", "reason", "retry_delay")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACTION_UNSPECIFIED: _ClassVar[Leave.Action]
        ACTION_RESUME: _ClassVar[Leave.Action]
        ACTION_STOP: _ClassVar[Leave.Action]
    ACTION_UNSPECIFIED: Leave.Action
    ACTION_RESUME: Leave.Action
    ACTION_STOP: Leave.Action
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    action: Leave.Action
    reason: str
    retry_delay: _duration_pb2.Duration
    def __init__(self, action: _Optional[_Union[Leave.Action, str]] = ..., reason: _Optional[str] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
