import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BillingInterval(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_INTERVAL_UNSPECIFIED: _ClassVar[BillingInterval]
    BILLING_INTERVAL_MONTH: _ClassVar[BillingInterval]
    BILLING_INTERVAL_YEAR: _ClassVar[BillingInterval]
BILLING_INTERVAL_UNSPECIFIED: BillingInterval
BILLING_INTERVAL_MONTH: BillingInterval
BILLING_INTERVAL_YEAR: BillingInterval

class Plan(_message.Message):
    __slots__ = ("plan_slug", "title", "month_price_cents", "year_price_cents", "builds_per_day", "concurrent_builds_user", "concurrent_builds_project", "tokens_per_day", "retention_days")
    PLAN_SLUG_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MONTH_PRICE_CENTS_FIELD_NUMBER: _ClassVar[int]
    YEAR_PRICE_CENTS_FIELD_NUMBER: _ClassVar[int]
    BUILDS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_BUILDS_USER_FIELD_NUMBER: _ClassVar[int]
    CONCURRENT_BUILDS_PROJECT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    plan_slug: str
    title: str
    month_price_cents: int
    year_price_cents: int
    builds_per_day: int
    concurrent_builds_user: int
    concurrent_builds_project: int
    tokens_per_day: int
    retention_days: int
    def __init__(self, plan_slug: _Optional[str] = ..., title: _Optional[str] = ..., month_price_cents: _Optional[int] = ..., year_price_cents: _Optional[int] = ..., builds_per_day: _Optional[int] = ..., concurrent_builds_user: _Optional[int] = ..., concurrent_builds_project: _Optional[int] = ..., tokens_per_day: _Optional[int] = ..., retention_days: _Optional[int] = ...) -> None: ...

class BillingStatus(_message.Message):
    __slots__ = ("plan_slug", "stripe_subscription_status", "has_subscription", "period_end_time", "grace_end_time", "holds", "cancel_at_period_end", "test_money")
    PLAN_SLUG_FIELD_NUMBER: _ClassVar[int]
    STRIPE_SUBSCRIPTION_STATUS_FIELD_NUMBER: _ClassVar[int]
    HAS_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PERIOD_END_TIME_FIELD_NUMBER: _ClassVar[int]
    GRACE_END_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_AT_PERIOD_END_FIELD_NUMBER: _ClassVar[int]
    TEST_MONEY_FIELD_NUMBER: _ClassVar[int]
    plan_slug: str
    stripe_subscription_status: str
    has_subscription: bool
    period_end_time: _timestamp_pb2.Timestamp
    grace_end_time: _timestamp_pb2.Timestamp
    holds: _containers.RepeatedScalarFieldContainer[str]
    cancel_at_period_end: bool
    test_money: bool
    def __init__(self, plan_slug: _Optional[str] = ..., stripe_subscription_status: _Optional[str] = ..., has_subscription: _Optional[bool] = ..., period_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., grace_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., holds: _Optional[_Iterable[str]] = ..., cancel_at_period_end: _Optional[bool] = ..., test_money: _Optional[bool] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPlansResponse(_message.Message):
    __slots__ = ("plans",)
    PLANS_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[Plan]
    def __init__(self, plans: _Optional[_Iterable[_Union[Plan, _Mapping]]] = ...) -> None: ...

class CreateCheckoutRequest(_message.Message):
    __slots__ = ("plan_slug", "interval")
    PLAN_SLUG_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    plan_slug: str
    interval: BillingInterval
    def __init__(self, plan_slug: _Optional[str] = ..., interval: _Optional[_Union[BillingInterval, str]] = ...) -> None: ...

class CreateCheckoutResponse(_message.Message):
    __slots__ = ("uri",)
    URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    def __init__(self, uri: _Optional[str] = ...) -> None: ...

class CreatePortalRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreatePortalResponse(_message.Message):
    __slots__ = ("uri",)
    URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    def __init__(self, uri: _Optional[str] = ...) -> None: ...

class GetBillingStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBillingStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: BillingStatus
    def __init__(self, status: _Optional[_Union[BillingStatus, _Mapping]] = ...) -> None: ...

class SyncCheckoutRequest(_message.Message):
    __slots__ = ("checkout_session_id",)
    CHECKOUT_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    checkout_session_id: str
    def __init__(self, checkout_session_id: _Optional[str] = ...) -> None: ...

class SyncCheckoutResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: BillingStatus
    def __init__(self, status: _Optional[_Union[BillingStatus, _Mapping]] = ...) -> None: ...

class IngestStripeEventRequest(_message.Message):
    __slots__ = ("payload", "signature")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    signature: str
    def __init__(self, payload: _Optional[bytes] = ..., signature: _Optional[str] = ...) -> None: ...

class IngestStripeEventResponse(_message.Message):
    __slots__ = ("event_id", "outcome")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[IngestStripeEventResponse.Outcome]
        OUTCOME_STORED: _ClassVar[IngestStripeEventResponse.Outcome]
        OUTCOME_DUPLICATE: _ClassVar[IngestStripeEventResponse.Outcome]
        OUTCOME_IGNORED: _ClassVar[IngestStripeEventResponse.Outcome]
    OUTCOME_UNSPECIFIED: IngestStripeEventResponse.Outcome
    OUTCOME_STORED: IngestStripeEventResponse.Outcome
    OUTCOME_DUPLICATE: IngestStripeEventResponse.Outcome
    OUTCOME_IGNORED: IngestStripeEventResponse.Outcome
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    outcome: IngestStripeEventResponse.Outcome
    def __init__(self, event_id: _Optional[str] = ..., outcome: _Optional[_Union[IngestStripeEventResponse.Outcome, str]] = ...) -> None: ...
