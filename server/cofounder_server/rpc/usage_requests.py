"""What requests about usage may hold, beyond what every request may. Pure, as all checks are."""

import re
from datetime import date, timedelta

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server.ledger.model import UNLIMITED
from cofounder_server.rpc.pages import Pages
from cofounder_server.rpc.requests import Check
from cofounder_server.usage.limits import Account
from cofounder_server.usage.records import NEWEST, Dimension, Place, Span

USER_ID_CHARACTERS = 255
REASON_CHARACTERS = 1000
PLAN_CHARACTERS = 100
MODEL_CHARACTERS = 200
MODELS = 20
MOST_DAYS = 366
DEFAULT_DAYS = 30

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ROLE = re.compile(r"[a-z][a-z_]{0,39}")
_DIMENSIONS: dict[int, Dimension] = {
    pb.USAGE_DIMENSION_UNSPECIFIED: "day",
    pb.USAGE_DIMENSION_DAY: "day",
    pb.USAGE_DIMENSION_MODEL: "model",
    pb.USAGE_DIMENSION_ROLE: "role",
    pb.USAGE_DIMENSION_BUILD: "build",
}


def user_id(check: Check, value: str) -> str:
    """Whose usage is asked for; empty for the caller's."""
    return check.text("user_id", value, most=USER_ID_CHARACTERS) if value else ""


def span(check: Check, request: pb.SummarizeUsageRequest | pb.ExportUsageRequest, today: date) -> Span:
    """The days of a request: from 30 days ago to today where they are left out, and never more than 366."""
    first = _day(check, "first_day", request.first_day, today - timedelta(days=DEFAULT_DAYS))
    last = _day(check, "last_day", request.last_day, today)
    days = (last - first).days + 1
    if days < 1:
        check.fault("first_day", f"must not be after the last day, {last}")
    elif days > MOST_DAYS:
        check.fault("first_day", f"must leave at most {MOST_DAYS} days; these are {days:,}")
    return Span(first, last)


def dimension(check: Check, value: int) -> Dimension:
    """What to sum by; the day if nothing is said."""
    if value not in _DIMENSIONS:
        check.fault("dimension", "must be USAGE_DIMENSION_DAY, _MODEL, _ROLE or _BUILD")
    return _DIMENSIONS.get(value, "day")


def as_json(check: Check, value: int) -> bool:
    """True if an export is to be JSON, False for CSV."""
    if value not in pb.ExportFormat.values():
        check.fault("format", "must be EXPORT_FORMAT_CSV or EXPORT_FORMAT_JSON")
    return value == pb.EXPORT_FORMAT_JSON


def place(check: Check, tokens: Pages, page_token: str) -> Place:
    """Where in the ledger a page begins."""
    key = tokens.key(check, page_token)
    try:
        return NEWEST if key is None else Place.from_bytes(key)
    except (ValueError, OverflowError):
        check.fault("page_token", "is not a next_page_token of this list")
        return NEWEST


def settings(check: Check, request: pb.UpdateUserSettingsRequest) -> Account:
    """The whole of a user's new settings. That the plan exists is not known here."""
    if not request.HasField("settings"):
        check.fault("settings", "is required")
    wanted = request.settings
    if wanted.override_tokens_per_day < UNLIMITED:
        check.fault("settings.override_tokens_per_day", "must be -1 (no limit), 0 (as the plan says) or more")
    return Account(
        user_id=check.text("settings.user_id", wanted.user_id, most=USER_ID_CHARACTERS),
        plan_slug=check.text("settings.plan_slug", wanted.plan_slug, most=PLAN_CHARACTERS),
        suspended=wanted.suspended,
        admin=wanted.admin,
        override_models=_models(check, dict(wanted.override_models)),
        override_tokens_per_day=wanted.override_tokens_per_day,
    )


def _models(check: Check, models: dict[str, str]) -> dict[str, str]:
    field = "settings.override_models"
    if len(models) > MODELS:
        check.fault(field, f"must name at most {MODELS} roles; it names {len(models):,}")
        return {}
    for role, model in sorted(models.items()):
        if not _ROLE.fullmatch(role):
            check.fault(field, "must have roles as keys: `coder`, `architect`, …, in small letters")
        else:
            check.text(f"{field}.{role}", model, most=MODEL_CHARACTERS)
    return models


def _day(check: Check, field: str, value: str, default: date) -> date:
    if not value:
        return default
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    check.fault(field, "must be a day such as 2026-11-01")
    return default
