"""The views of now: what is true of a waiting build and not in its log, shown to those who watch it or ask for it."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import cast
from uuid import UUID

import structlog

from cofounder.runner.v1.build_view_pb2 import BuildView, QueuePosition
from cofounder_server import db, tasks
from cofounder_server.builds.board import Board, Survey
from cofounder_server.builds.watch import Watches

logger = structlog.get_logger(__name__)

VIEW_SECONDS = 1.0
# A likely start that moved by less is where it was: by so many seconds, or by that part of the wait.
STEADY_SECONDS = 1.0
STEADY_SHARE = 0.05


class Views:
    """Keeps the views of all watched builds of one process up to date, once a second.

    One that does not wait costs a look at its state; the line is surveyed only while somebody watches, or asks about,
    a build that waits.
    """

    def __init__(self, board: Board, watches: Watches, *, view_seconds: float = VIEW_SECONDS) -> None:
        self._board = board
        self._watches = watches
        self._view_seconds = view_seconds
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Views":
        self._ticker = asyncio.create_task(self._tick(), name="views")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ticker is not None
        await tasks.stop(self._ticker)

    async def of(self, build_id: UUID) -> BuildView | None:
        """Returns what is true of a build just now; None unless it waits in the queue."""
        if not await self._board.which_wait([build_id]):
            return None
        survey = await self._board.survey([build_id], fresh_seconds=self._view_seconds)
        view = view_of(build_id, survey)
        return view if view.HasField("queue") else None

    async def refresh(self) -> None:
        """Shows the watchers of each build what is true of it now, where that is not what they were shown last."""
        watched = self._watches.watched()
        if not watched:
            return
        waiting = await self._board.which_wait(watched)
        told = {build_id for build_id, tail in watched.items() if tail.announced and tail.announced.HasField("queue")}
        if waiting or told:
            await self._show(waiting | told)

    async def _show(self, build_ids: Collection[UUID]) -> None:
        # Half a period: what was read for somebody just now will do, and the ticker's own last survey will not.
        survey = await self._board.survey(build_ids, fresh_seconds=self._view_seconds / 2)
        watched = self._watches.watched()
        for build_id in watched.keys() & build_ids:
            tail, view = watched[build_id], view_of(build_id, survey)
            if tail.announced is not None or view.HasField("queue"):
                tail.show(view, is_news=changed(tail.announced, view))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._view_seconds)
            try:
                await self.refresh()
            except db.UNREACHABLE as fault:
                logger.warning("views could not be refreshed", fault=type(fault).__name__)
            except Exception:
                # A fault of ours, which the next line may not meet: watchers see what they saw, and their logs go on.
                logger.exception("views could not be refreshed")


def view_of(build_id: UUID, survey: Survey) -> BuildView:
    """Returns what the board said of a build. Without a place in the queue if it does not wait."""
    view = BuildView()
    view.read_time.FromDatetime(survey.time)
    place = survey.places.get(build_id)
    if place is None:
        return view
    queue, accuracy = view.queue, survey.accuracy
    queue.position, queue.limit = place.position, place.limit
    queue.ahead_own, queue.ahead_others, queue.ahead_later = place.ahead_own, place.ahead_others, place.ahead_later
    queue.reason = cast(QueuePosition.Reason, int(place.reason))
    if place.estimate is not None:
        queue.eta.FromTimedelta(timedelta(seconds=place.estimate.median))
        queue.eta_late.FromTimedelta(timedelta(seconds=place.estimate.late))
    if start_after := survey.start_after.get(build_id):
        queue.start_after_time.FromDatetime(start_after)
    queue.past_forecasts, queue.past_kept = accuracy.judged, accuracy.kept
    if accuracy.median_error is not None:
        queue.past_median_error.FromTimedelta(timedelta(seconds=accuracy.median_error))
    return view


def changed(shown: BuildView | None, view: BuildView) -> bool:
    """Tells whether `view` says something else than `shown`, besides that time has passed."""
    if shown is None:
        return True
    return _lasting(shown) != _lasting(view) or any(_moved(shown, view, each) for each in ("eta", "eta_late"))


def _lasting(view: BuildView) -> BuildView:
    """Returns a view without its times, which move by themselves."""
    copy = BuildView()
    copy.CopyFrom(view)
    copy.ClearField("read_time")
    if copy.HasField("queue"):
        copy.queue.ClearField("eta")
        copy.queue.ClearField("eta_late")
    return copy


def _moved(shown: BuildView, view: BuildView, name: str) -> bool:
    if not (shown.queue.HasField(name) and view.queue.HasField(name)):
        return shown.queue.HasField(name) != view.queue.HasField(name)
    ahead: timedelta = getattr(view.queue, name).ToTimedelta()
    steady = max(STEADY_SECONDS, STEADY_SHARE * ahead.total_seconds())
    return abs(_moment(shown, name) - _moment(view, name)) > steady


def _moment(view: BuildView, name: str) -> float:
    """Returns the moment that a duration of a view points at, in seconds since the epoch."""
    ahead: timedelta = getattr(view.queue, name).ToTimedelta()
    return view.read_time.ToMicroseconds() / 1e6 + ahead.total_seconds()
