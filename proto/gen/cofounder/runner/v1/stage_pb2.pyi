from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_ARCHITECT: _ClassVar[Stage]
    STAGE_CODER: _ClassVar[Stage]
    STAGE_EXECUTOR: _ClassVar[Stage]
    STAGE_DEBUGGER: _ClassVar[Stage]
    STAGE_REVIEWER: _ClassVar[Stage]
    STAGE_GIT_MANAGER: _ClassVar[Stage]
STAGE_UNSPECIFIED: Stage
STAGE_ARCHITECT: Stage
STAGE_CODER: Stage
STAGE_EXECUTOR: Stage
STAGE_DEBUGGER: Stage
STAGE_REVIEWER: Stage
STAGE_GIT_MANAGER: Stage
