"""Says in plain words where a waiting build stands, why it waits and when it is likely to start."""

import datetime

from cofounder_cli import figures
from cofounder_cli._gen.cofounder.runner import v1 as runner

_Reason = runner.QueuePositionReason


def lines(queue: runner.QueuePosition, *, read_time: datetime.datetime, now: datetime.datetime) -> list[str]:
    """Returns a few short lines: the place and the reason, the likely start, and how well such estimates held.

    `queue` was true at `read_time`; what it says of times is counted down to `now`, both by the server's clock.
    """
    if queue.start_after_time is not None:
        return [f"scheduled for {_moment(queue.start_after_time, now)}: {_reason(queue)}"]
    parts = [f"{figures.ordinal(queue.position)} in line"] if queue.position else []
    told = [" · ".join(filter(None, (*parts, _ahead(queue), _reason(queue))))]
    if queue.eta is None or queue.eta_late is None or queue.reason == _Reason.NEXT:
        return told
    passed = (now - read_time).total_seconds()
    told.append(_start(queue.eta.total_seconds() - passed, queue.eta_late.total_seconds() - passed))
    if queue.past_forecasts == 1:
        told.append(f"the last such estimate {'held' if queue.past_kept else 'did not hold'}")
    elif queue.past_forecasts:
        told.append(f"such estimates held {queue.past_kept} of the last {queue.past_forecasts} times")
    return told


def _ahead(queue: runner.QueuePosition) -> str:
    own = f"{queue.ahead_own} of yours" if queue.ahead_own else ""
    others = f"{queue.ahead_others} other{'s' if queue.ahead_others > 1 else ''}" if queue.ahead_others else ""
    if not own and not others:
        return ""
    # Of a plan with a head start, and accepted later.
    later = f" ({queue.ahead_later} by a head start)" if queue.ahead_later else ""
    return f"{' and '.join(filter(None, (own, others)))} ahead{later}"


def _reason(queue: runner.QueuePosition) -> str:
    limit = queue.limit
    match queue.reason:
        case _Reason.NEXT:
            return "about to start"
        case _Reason.USER_LIMIT:
            return (
                f"waits for one of your own {limit} builds to end" if limit > 1 else "waits for your own build to end"
            )
        case _Reason.PROJECT_LIMIT:
            whose = f"one of the project's {limit} builds" if limit > 1 else "the project's other build"
            return f"waits for {whose} to end"
        case _Reason.SYSTEM:
            return "all workers are busy" if limit else "no worker is there just now"
        case _Reason.DAY_LIMIT:
            return f"the day's {limit} builds are spent" if limit > 1 else "the day's build is spent"
        case _:
            return ""


def _start(eta: float, late: float) -> str:
    if late <= 0:
        return "starts later than nine in ten such builds did"
    within = figures.roughly(late, up=True)
    if eta <= 0:
        return f"starts any moment (nine in ten within {within})"
    about = figures.roughly(eta)
    return f"starts in about {about}" + (f" (nine in ten within {within})" if within != about else "")


def _moment(time: datetime.datetime, now: datetime.datetime) -> str:
    days = (time.date() - now.date()).days
    day = {0: "today ", 1: "tomorrow "}.get(days, f"{time.day} {time:%B} ")
    return f"{day}{time:%H:%M} UTC"
