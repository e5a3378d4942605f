"""Writes what was used as tables: of today against each limit, and of some days summed."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cofounder_cli import cells, figures
from cofounder_cli._gen.cofounder.usage import v1 as usage
from cofounder_cli.terminal import clean_line

UNLIMITED = -1

_NAMES = {
    "tokens_per_day": "tokens",
    "builds_per_day": "builds",
    "cost_per_day": "cost",
    "concurrent_builds": "builds at once",
}
_GAP = "   "
_NARROWEST = 12


@dataclass(frozen=True, kw_only=True)
class _Column:
    """A column of a table. Of those that do not all fit, the ones with the highest `spare` are left out first."""

    head: str
    values: Sequence[str]
    to_the_left: bool = False
    spare: int = 0

    @property
    def width(self) -> int:
        return max(map(cells.width, (self.head, *self.values)))

    def cell(self, text: str) -> str:
        blank = " " * (self.width - cells.width(text))
        return text + blank if self.to_the_left else blank + text


def today(limits: Sequence[usage.LimitUse], *, now: datetime.datetime, columns: int) -> list[str]:
    """Returns a table of each limit: how much is used, how much may be, and when it starts anew."""
    held = [_amount(one, one.reserved) if one.reserved else "" for one in limits]
    table = [
        _Column(head="today", values=[_name(one) for one in limits], to_the_left=True),
        _Column(head="used", values=[_amount(one, one.used) for one in limits]),
        _Column(head="of", values=[_allowed(one) for one in limits]),
        _Column(head="held", values=held, spare=2),
        _Column(head="left", values=[_left(one) for one in limits], spare=1),
        _Column(head="starts anew", values=[_anew(one, now) for one in limits], to_the_left=True),
    ]
    return _table([column for column in table if any(column.values)], columns)


def in_a_line(limits: Sequence[usage.LimitUse]) -> str:
    """Returns the same for a log: `tokens 300 of 500,000 · cost $0.0040`."""
    parts = []
    for one in limits:
        of = "" if one.allowed == UNLIMITED else f" of {_allowed(one)}"
        parts.append(f"{_name(one)} {_amount(one, one.used)}{of}")
    return " · ".join(parts)


def sums(found: Sequence[usage.UsageSum], *, days: int, by: str, columns: int) -> list[str]:
    """Returns a table of the sums of the last `days`: days in their order, else the dearest first; then all of it."""
    if not found:
        return [f"  Nothing was used in the {_span(days)}."]
    rows = list(found) if by == "day" else sorted(found, key=lambda one: -one.cost_microdollars)
    keys = [clean_line(one.key) or "(interview)" for one in rows]
    total = usage.UsageSum(
        calls=sum(one.calls for one in rows),
        tokens=sum(one.tokens for one in rows),
        cost_microdollars=sum(one.cost_microdollars for one in rows),
    )
    rows.append(total)
    table = [
        _Column(head=_span(days), values=[*keys, "all"], to_the_left=True),
        _Column(head="calls", values=[f"{one.calls:,}" for one in rows], spare=1),
        _Column(head="tokens", values=[f"{one.tokens:,}" for one in rows], spare=2),
        _Column(head="cost", values=[figures.money(one.cost_microdollars, places=4) for one in rows]),
    ]
    return _table(table, columns)


def _span(days: int) -> str:
    return f"last {days} days" if days > 1 else "today"


def _table(table: Sequence[_Column], columns: int) -> list[str]:
    """Returns the lines of a table, in `columns` if what may be left out and a shorter first column allow that."""
    kept = list(table)
    while (over := _width(kept) - columns) > 0 and any(column.spare for column in kept):
        kept.remove(max(kept, key=lambda column: column.spare))
    if over > 0:
        room = max(kept[0].width - over, _NARROWEST)
        kept[0] = replace(kept[0], values=[cells.cut(value, room) for value in kept[0].values])
    lines = zip(*((column.head, *column.values) for column in kept), strict=True)
    return [
        "  " + _GAP.join(column.cell(text) for column, text in zip(kept, line, strict=True)).rstrip() for line in lines
    ]


def _width(table: Sequence[_Column]) -> int:
    return sum(column.width + len(_GAP) for column in table)


def _name(one: usage.LimitUse) -> str:
    return _NAMES.get(one.limit) or clean_line(one.limit.replace("_", " "))


def _amount(one: usage.LimitUse, number: int) -> str:
    return figures.money(number) if one.limit.startswith("cost") else f"{number:,}"


def _allowed(one: usage.LimitUse) -> str:
    return "no limit" if one.allowed == UNLIMITED else _amount(one, one.allowed)


def _left(one: usage.LimitUse) -> str:
    # More may be used than is allowed: the plan was lowered, or a call came to more than was held for it.
    return "" if one.allowed == UNLIMITED else _amount(one, max(0, one.allowed - one.used - one.reserved))


def _anew(one: usage.LimitUse, now: datetime.datetime) -> str:
    if one.reset_time is None:
        return "as each ends"
    return f"in {figures.roughly(max(0.0, (one.reset_time - now).total_seconds()), up=True)}"
