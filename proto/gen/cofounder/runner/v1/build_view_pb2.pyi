import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BuildView(_message.Message):
    __slots__ = ("read_time", "queue", "watchers", "watcher_ids")
    READ_TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WATCHERS_FIELD_NUMBER: _ClassVar[int]
    WATCHER_IDS_FIELD_NUMBER: _ClassVar[int]
    read_time: _timestamp_pb2.Timestamp
    queue: QueuePosition
    watchers: int
    watcher_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, read_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queue: _Optional[_Union[QueuePosition, _Mapping]] = ..., watchers: _Optional[int] = ..., watcher_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class QueuePosition(_message.Message):
    __slots__ = ("position", "ahead_own", "ahead_others", "reason", "eta", "eta_late", "start_after_time", "limit", "ahead_later", "past_forecasts", "past_kept", "past_median_error")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[QueuePosition.Reason]
        REASON_NEXT: _ClassVar[QueuePosition.Reason]
        REASON_USER_LIMIT: _ClassVar[QueuePosition.Reason]
        REASON_PROJECT_LIMIT: _ClassVar[QueuePosition.Reason]
        REASON_SYSTEM: _ClassVar[QueuePosition.Reason]
        REASON_DAY_LIMIT: _ClassVar[QueuePosition.Reason]
    REASON_UNSPECIFIED: QueuePosition.Reason
    REASON_NEXT: QueuePosition.Reason
    REASON_USER_LIMIT: QueuePosition.Reason
    REASON_PROJECT_LIMIT: QueuePosition.Reason
    REASON_SYSTEM: QueuePosition.Reason
    REASON_DAY_LIMIT: QueuePosition.Reason
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AHEAD_OWN_FIELD_NUMBER: _ClassVar[int]
    AHEAD_OTHERS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    ETA_LATE_FIELD_NUMBER: _ClassVar[int]
    START_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AHEAD_LATER_FIELD_NUMBER: _ClassVar[int]
    PAST_FORECASTS_FIELD_NUMBER: _ClassVar[int]
    PAST_KEPT_FIELD_NUMBER: _ClassVar[int]
    PAST_MEDIAN_ERROR_FIELD_NUMBER: _ClassVar[int]
    position: int
    ahead_own: int
    ahead_others: int
    reason: QueuePosition.Reason
    eta: _duration_pb2.Duration
    eta_late: _duration_pb2.Duration
    start_after_time: _timestamp_pb2.Timestamp
    limit: int
    ahead_later: int
    past_forecasts: int
    past_kept: int
    past_median_error: _duration_pb2.Duration
    def __init__(self, position: _Optional[int] = ..., ahead_own: _Optional[int] = ..., ahead_others: _Optional[int] = ..., reason: _Optional[_Union[QueuePosition.Reason, str]] = ..., eta: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., eta_late: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., start_after_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ..., ahead_later: _Optional[int] = ..., past_forecasts: _Optional[int] = ..., past_kept: _Optional[int] = ..., past_median_error: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
