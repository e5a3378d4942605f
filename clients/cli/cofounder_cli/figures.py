"""Writes times, money and sizes the way a person reads them."""

import math
from decimal import Decimal

MICRODOLLARS = 1_000_000


def elapsed(seconds: float) -> str:
    """Writes a length of time in seconds: `0.4 s`, `12 s`, `3:05`, `1:02:09`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def roughly(seconds: float, *, up: bool = False) -> str:
    """Writes an expected length of time no finer than it is known: `4 s`, `40 s`, `1 min 15 s`, `3 h 10 min`.

    To the nearest step of its size, or with `up` to the next.
    """
    for below, step in ((10, 1), (60, 5), (300, 15), (3600, 60), (36 * 3600, 600)):
        steps = math.ceil(seconds / step) if up else round(seconds / step)
        if (whole := steps * step) < below:
            break
    else:
        return f"{math.ceil(seconds / 86400)} days"
    units = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in units if number) or "1 s"


def clock(seconds: float) -> str:
    """Writes a running time in seconds in a steady shape: `0:07`, `12:40`, `1:02:09`."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money(microdollars: int, *, places: int | None = None) -> str:
    """Writes millionths of a dollar: `$0.0123` below a dollar, `$12.30` above; or with so many `places`."""
    dollars = Decimal(microdollars) / MICRODOLLARS
    if places is None:
        places = 4 if abs(dollars) < 1 else 2
    return f"{'-' if microdollars < 0 else ''}${abs(dollars):,.{places}f}"


def count(number: int, noun: str) -> str:
    """Writes a count with its noun: `1 line`, `1,204 lines`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tokens(number: int) -> str:
    """Writes a number of tokens: `812`, `4.2k`, `1.3M`."""
    if number < 1_000:
        return str(number)
    if number < 999_500:
        return f"{number / 1_000:.1f}k"
    return f"{number / 1_000_000:.1f}M"


def size(size_bytes: int) -> str:
    """Writes a size in bytes: `640 B`, `1.2 kB`, `3.4 MB`."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    if size_bytes < 999_500:
        return f"{size_bytes / 1_000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def ordinal(number: int) -> str:
    """Writes a place: `1st`, `2nd`, `11th`."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
