"""What a call must fit into, as a pure function of who pays, their plan and settings as of now, and the build."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from cofounder_server.billing.plans import Plan
from cofounder_server.ledger.model import NO_DAY, UNLIMITED, Limit, Scope

# A token is rarely shorter than two characters; what is set aside must not be less than what will be read.
LEAST_CHARACTERS_A_TOKEN = 2
# Fewer characters than a token of any text has on average, so that an estimate is not below the truth.
CHARACTERS_A_TOKEN = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is known of a user besides the plan."""

    user_id: str
    plan_slug: str
    suspended: bool = False
    admin: bool = False
    override_models: Mapping[str, str] = field(default_factory=dict)
    # In place of the plan's; `UNLIMITED`, or 0: as the plan says.
    override_tokens_per_day: int = 0


def tokens_a_day(plan: Plan, account: Account) -> int:
    """Returns how many tokens the account may use a day."""
    return account.override_tokens_per_day or plan.tokens_a_day


def limits_of(
    plan: Plan,
    account: Account,
    *,
    day: date,
    build_id: UUID | None,
    build_microdollars: int,
    global_microdollars: int,
) -> Sequence[Limit]:
    """Returns every limit that a call must fit into.

    Args:
        build_microdollars: The build's hard cap; 0 for none of its own.
        global_microdollars: What everybody together may cost a day: the breaker that holds for the unlimited, too.
    """
    limits = [
        Limit(scope=Scope.GLOBAL, key="", day=day, microdollars=global_microdollars),
        Limit(scope=Scope.USER, key=account.user_id, day=day, tokens=tokens_a_day(plan, account)),
    ]
    if build_id is not None:
        cap = build_microdollars or UNLIMITED
        limits.append(Limit(scope=Scope.BUILD, key=str(build_id), day=NO_DAY, microdollars=cap))
    return limits


def day_of(time_: datetime) -> date:
    """Returns the UTC day of a time, whatever its zone (A-27)."""
    return time_.astimezone(UTC).date()


def reset_of(day: date) -> datetime:
    """Returns when a day's counts start anew."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def most_tokens(asked_characters: int) -> int:
    """Returns the most tokens that a text of so many characters is taken for."""
    return max(1, math.ceil(asked_characters / LEAST_CHARACTERS_A_TOKEN))


def likely_tokens(characters: int) -> int:
    """Returns what a text of so many characters is booked as where nobody counted."""
    return math.ceil(characters / CHARACTERS_A_TOKEN)
