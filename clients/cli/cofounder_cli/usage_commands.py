"""What `cofounder usage` does: asks what was used, once or on and on, and writes it down."""

import contextlib
import datetime
import sys
from collections.abc import Sequence

from cofounder_cli import protojson, show_usage
from cofounder_cli._gen.cofounder.usage import v1 as usage
from cofounder_cli.commands import Run, write_line
from cofounder_cli.screen import Screen, for_stream, terminal_columns

DIMENSIONS = {
    "day": usage.UsageDimension.DAY,
    "model": usage.UsageDimension.MODEL,
    "role": usage.UsageDimension.ROLE,
    "build": usage.UsageDimension.BUILD,
}


async def show(run: Run, *, days: int, by: str) -> int:
    """Shows today against each limit, and the last `days` summed."""
    today = _now().date()
    request = usage.SummarizeUsageRequest(
        first_day=str(today - datetime.timedelta(days=days - 1)), last_day=str(today), dimension=DIMENSIONS[by]
    )
    async with run.client() as client:
        used = await client.get_usage()
        summed = await client.summarize_usage(request)
    if run.as_json:
        write_line(protojson.in_a_line(protojson.to_object(used) | protojson.to_object(summed)))
        return 0
    columns = terminal_columns(sys.stdout)
    lines = show_usage.today(used.limits, now=_now(), columns=columns)
    for line in (*lines, "", *show_usage.sums(summed.sums, days=days, by=by, columns=columns)):
        write_line(line)
    return 0


async def watch(run: Run) -> int:
    """Shows today against each limit whenever it changes, until the reader leaves."""
    screen = for_stream(sys.stdout)
    drawn: Sequence[str] = ()
    last = ""
    try:
        async with run.client() as client, contextlib.aclosing(client.watch_usage()) as watching:
            async for response in watching:
                if run.as_json:
                    write_line(protojson.to_line(response))
                elif screen.is_live:
                    drawn = show_usage.today(response.limits, now=_now(), columns=terminal_columns(sys.stdout))
                    screen.show(drawn, status="  Ctrl-C to leave")
                    screen.paint()
                elif (line := show_usage.in_a_line(response.limits)) != last:
                    last = line
                    write_line(f"{_now().astimezone():%H:%M:%S}  {line}")
    finally:
        _leave(screen, drawn)
    return 0


def _leave(screen: Screen, drawn: Sequence[str]) -> None:
    """Lets what was shown last stand."""
    screen.show(())
    for line in drawn:
        screen.line(line, indent="", overflow="cut")
    screen.close()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
