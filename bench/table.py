"""The table: what was measured, what the floor takes for the same, and what it should reach."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. `reach` says the bound in words, and `reached` whether it holds; both empty where nothing is asked."""

    name: str
    unit: str
    product: float
    floor: float | None = None
    reach: str = ""
    reached: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.product / self.floor if self.floor else None


def at_most(name: str, unit: str, product: float, limit: float, *, floor: float | None = None) -> Row:
    reach = f"≤ {limit:g} {unit}"
    return Row(name=name, unit=unit, product=product, floor=floor, reach=reach, reached=product <= limit)


def at_least(name: str, unit: str, product: float, limit: float, *, floor: float | None = None) -> Row:
    reach = f"≥ {limit:,.0f}"
    return Row(name=name, unit=unit, product=product, floor=floor, reach=reach, reached=product >= limit)


def at_most_times(name: str, unit: str, product: float, times: float, *, floor: float) -> Row:
    reach = f"≤ {times:g}× floor"
    return Row(name=name, unit=unit, product=product, floor=floor, reach=reach, reached=product <= times * floor)


def text(rows: Sequence[Row]) -> str:
    """Returns the table as lines for a terminal."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':<{width}}  {'unit':<9}{'product':>10}{'floor':>10}{'ratio':>7}  {'reach':<12}reached"]
    for row in rows:
        compared = f"{_number(row.floor):>10}{row.ratio:7.2f}" if row.floor and row.ratio else f"{'':>17}"
        reached = {True: "yes", False: "no", None: ""}[row.reached]
        line = f"{row.name:<{width}}  {row.unit:<9}{_number(row.product):>10}{compared}  {row.reach:<12}{reached}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def results(rows: Sequence[Row], *, load_before: float) -> str:
    """Returns what a run found, as JSON, and what it must be read with: the machine, and how busy it was before."""
    machine = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "load_before": round(load_before, 2),
    }
    found = {"machine": machine, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def write(path: Path, found: str) -> None:
    path.write_text(found)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
