from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ArchiveFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARCHIVE_FORMAT_UNSPECIFIED: _ClassVar[ArchiveFormat]
    ARCHIVE_FORMAT_ZIP: _ClassVar[ArchiveFormat]
    ARCHIVE_FORMAT_GIT_BUNDLE: _ClassVar[ArchiveFormat]
ARCHIVE_FORMAT_UNSPECIFIED: ArchiveFormat
ARCHIVE_FORMAT_ZIP: ArchiveFormat
ARCHIVE_FORMAT_GIT_BUNDLE: ArchiveFormat

class BuildPoint(_message.Message):
    __slots__ = ("build_id", "at_sequence")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    at_sequence: int
    def __init__(self, build_id: _Optional[str] = ..., at_sequence: _Optional[int] = ...) -> None: ...

class FileDiff(_message.Message):
    __slots__ = ("path", "unified", "added", "removed")
    PATH_FIELD_NUMBER: _ClassVar[int]
    UNIFIED_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    path: str
    unified: str
    added: bool
    removed: bool
    def __init__(self, path: _Optional[str] = ..., unified: _Optional[str] = ..., added: _Optional[bool] = ..., removed: _Optional[bool] = ...) -> None: ...

class Why(_message.Message):
    __slots__ = ("kind", "node_id", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    node_id: str
    text: str
    def __init__(self, kind: _Optional[str] = ..., node_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
