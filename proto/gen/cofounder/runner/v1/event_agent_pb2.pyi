import datetime

from cofounder.runner.v1 import stage_pb2 as _stage_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationStarted(_message.Message):
    __slots__ = ("generation_id", "stage", "model", "replaces_generation_id")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REPLACES_GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    stage: _stage_pb2.Stage
    model: str
    replaces_generation_id: str
    def __init__(self, generation_id: _Optional[str] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., model: _Optional[str] = ..., replaces_generation_id: _Optional[str] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("generation_id", "text")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    text: str
    def __init__(self, generation_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ThinkingDelta(_message.Message):
    __slots__ = ("generation_id", "text")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    text: str
    def __init__(self, generation_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class GenerationVoided(_message.Message):
    __slots__ = ("generation_id", "reason")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    reason: str
    def __init__(self, generation_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ProviderDelayed(_message.Message):
    __slots__ = ("reason", "retry_delay", "retry")
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    retry_delay: _duration_pb2.Duration
    retry: int
    def __init__(self, reason: _Optional[str] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[int] = ...) -> None: ...

class PlanStep(_message.Message):
    __slots__ = ("index", "description", "status", "paths")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS_UNSPECIFIED: _ClassVar[PlanStep.Status]
        STATUS_PENDING: _ClassVar[PlanStep.Status]
        STATUS_ACTIVE: _ClassVar[PlanStep.Status]
        STATUS_DONE: _ClassVar[PlanStep.Status]
        STATUS_FAILED: _ClassVar[PlanStep.Status]
    STATUS_UNSPECIFIED: PlanStep.Status
    STATUS_PENDING: PlanStep.Status
    STATUS_ACTIVE: PlanStep.Status
    STATUS_DONE: PlanStep.Status
    STATUS_FAILED: PlanStep.Status
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    index: int
    description: str
    status: PlanStep.Status
    paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, index: _Optional[int] = ..., description: _Optional[str] = ..., status: _Optional[_Union[PlanStep.Status, str]] = ..., paths: _Optional[_Iterable[str]] = ...) -> None: ...

class PlanProposed(_message.Message):
    __slots__ = ("title", "steps")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    title: str
    steps: _containers.RepeatedCompositeFieldContainer[PlanStep]
    def __init__(self, title: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[PlanStep, _Mapping]]] = ...) -> None: ...

class PlanStepChanged(_message.Message):
    __slots__ = ("index", "status")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    index: int
    status: PlanStep.Status
    def __init__(self, index: _Optional[int] = ..., status: _Optional[_Union[PlanStep.Status, str]] = ...) -> None: ...

class UsageRecorded(_message.Message):
    __slots__ = ("generation_id", "model", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cost_microdollars", "price_version", "estimated", "ledger_id", "stage", "platform_borne", "provider_request_id")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_READ_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_5M_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_1H_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    PRICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    LEDGER_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_BORNE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cost_microdollars: int
    price_version: str
    estimated: bool
    ledger_id: str
    stage: _stage_pb2.Stage
    platform_borne: bool
    provider_request_id: str
    def __init__(self, generation_id: _Optional[str] = ..., model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cache_read_tokens: _Optional[int] = ..., cache_write_5m_tokens: _Optional[int] = ..., cache_write_1h_tokens: _Optional[int] = ..., cost_microdollars: _Optional[int] = ..., price_version: _Optional[str] = ..., estimated: _Optional[bool] = ..., ledger_id: _Optional[str] = ..., stage: _Optional[_Union[_stage_pb2.Stage, str]] = ..., platform_borne: _Optional[bool] = ..., provider_request_id: _Optional[str] = ...) -> None: ...

class CreditRecorded(_message.Message):
    __slots__ = ("ledger_id", "amount_microdollars", "reason")
    LEDGER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ledger_id: str
    amount_microdollars: int
    reason: str
    def __init__(self, ledger_id: _Optional[str] = ..., amount_microdollars: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class BudgetWarned(_message.Message):
    __slots__ = ("spent_microdollars", "limit_microdollars", "limit")
    SPENT_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICRODOLLARS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    spent_microdollars: int
    limit_microdollars: int
    limit: str
    def __init__(self, spent_microdollars: _Optional[int] = ..., limit_microdollars: _Optional[int] = ..., limit: _Optional[str] = ...) -> None: ...
