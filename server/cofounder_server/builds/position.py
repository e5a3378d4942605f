"""The truth about a build's wait: its place in line, who is ahead, why it waits, and when it is likely to start.

Pure. The likely times come from playing the scheduler ahead many times, each time with other durations out of those of
past builds. Every build draws its durations by its own id, so that a forecast moves only when something happened, and
two servers say the same. The work is bounded: a long line is played fewer times and less far, and what lies behind is
reckoned from one play with mean durations, whose error grows with the root of the wait.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, pvariance
from typing import NamedTuple
from uuid import UUID

from cofounder_server.builds.line import Durations, Line, Reason
from cofounder_server.builds.schedule import Schedule

# How many starts all plays together may come to, and how often a line is played within that.
MOST_STARTS = 10_000
MOST_PLAYS = 200
FEWEST_PLAYS = 40
# Nine in ten start before `late`.
LATE = 0.9
LATE_DEVIATIONS = 1.2816  # of a normal distribution, in standard deviations


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds from now until a build starts: the median, and what nine in ten stay below."""

    median: float
    late: float


class Correction(NamedTuple):
    """What former forecasts say that new ones must be multiplied by: plays know nothing of builds yet to come."""

    median: float = 1.0
    late: float = 1.0

    def of(self, estimate: Estimate) -> Estimate:
        median = estimate.median * self.median
        return Estimate(median, max(median, estimate.late * self.late))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A build's place in line. Builds scheduled for later stand behind all that wait now."""

    position: int
    # Builds ahead of the same payer, and of others; together `position - 1`.
    ahead_own: int
    ahead_others: int
    # Those among all ahead that were accepted later: their plan gives a head start.
    ahead_later: int
    reason: Reason
    # The limit that the reason speaks of: builds at once, or builds a day.
    limit: int
    # None where nothing can be foretold: no build has ended yet, or no worker is there.
    estimate: Estimate | None


UNCORRECTED = Correction()


def survey(
    line: Line, past: Durations, watched: Collection[UUID] | None = None, correction: Correction = UNCORRECTED
) -> dict[UUID, Place]:
    """Returns the places of the builds `watched`, by default of all that wait; one that does not wait is left out."""
    schedule = Schedule(line)
    reasons = list(schedule.reasons())
    wanted = {index for index, build in enumerate(line.waiting) if watched is None or build.build_id in watched}
    estimates = _Forecast(schedule, past, wanted, reasons).estimates() if past and wanted else {}
    # When a scheduled build is due is no guess.
    estimates |= {i: correction.of(each) for i, each in estimates.items() if line.waiting[i].due <= 0}
    return {
        line.waiting[index].build_id: Place(
            position=ahead.position,
            ahead_own=ahead.own,
            ahead_others=ahead.position - 1 - ahead.own,
            ahead_later=ahead.later,
            reason=reasons[index][0],
            limit=reasons[index][1],
            estimate=estimates.get(index),
        )
        for index, ahead in _ahead(schedule, wanted).items()
    }


class _Ahead(NamedTuple):
    position: int
    own: int
    later: int


def _ahead(schedule: Schedule, wanted: set[int]) -> dict[int, _Ahead]:
    """Counts who stands before each build."""
    waiting = schedule.line.waiting
    order = [index for index, build in enumerate(waiting) if build.due <= 0]
    order += [index - len(waiting) for _, index in sorted(schedule.arrivals)]
    own = [0] * len(schedule.held_user)
    ids: list[int] = []
    found: dict[int, _Ahead] = {}
    for place, index in enumerate(order):
        number, user = waiting[index].build_id.int, schedule.user[index]
        if index in wanted:
            # A UUIDv7 is the greater the later it was made.
            found[index] = _Ahead(place + 1, own[user], place - bisect_right(ids, number))
        own[user] += 1
        insort(ids, number)
    return found


class _Forecast:
    """When the builds `wanted` are likely to start."""

    def __init__(
        self, schedule: Schedule, past: Durations, wanted: set[int], reasons: Sequence[tuple[Reason, int]]
    ) -> None:
        self._schedule = schedule
        self._line = schedule.line
        self._past = past
        self._wanted = wanted
        self._reasons = reasons
        means = {slug: fmean(past.of(slug)) for slug in {build.plan_slug for build in self._line.waiting}}
        self._means = [means[build.plan_slug] for build in self._line.waiting]
        # The variance of a sum of durations, for each second that the sum is long.
        self._restlessness = pvariance(past.pooled) / (fmean(past.pooled) or 1.0)

    def estimates(self) -> dict[int, Estimate]:
        """Returns what can be said, by index: nothing of a build that can never start as things are."""
        remaining = [fmean(self._past.beyond(build.plan_slug, build.age)) for build in self._line.running]
        reckoned = self._schedule.play(self._means, remaining, wanted=self._wanted, most=len(self._line.waiting))
        plays = max(FEWEST_PLAYS, min(MOST_PLAYS, MOST_STARTS // max(1, len(reckoned))))
        near = list(reckoned)[: MOST_STARTS // plays]
        found = self._played(near, plays)
        for index in self._wanted & reckoned.keys() - found.keys():
            found[index] = self._reckon(index, reckoned[index])
        return self._in_order(found)

    def _played(self, near: Sequence[int], plays: int) -> dict[int, Estimate]:
        """Returns what plays say of the builds `near` the front; nothing of one that did not start in each of them."""
        wanted = self._wanted.intersection(near)
        drawn = {index: self._draw(self._line.waiting[index].build_id, self._past_of(index), plays) for index in near}
        left = [
            self._draw(build.build_id, self._past.beyond(build.plan_slug, build.age), plays)
            for build in self._line.running
        ]
        starts: dict[int, list[float]] = {index: [] for index in wanted}
        lengths = self._means.copy()
        for play in range(plays if wanted else 0):
            for index, each in drawn.items():
                lengths[index] = each[play]
            # A quarter more, as a build may be passed by some that were reckoned to start behind it.
            most = len(near) + len(near) // 4 + 1
            begun = self._schedule.play(lengths, [each[play] for each in left], wanted=wanted, most=most)
            for index in wanted & begun.keys():
                starts[index].append(begun[index])
        return {index: _summed_up(each) for index, each in starts.items() if len(each) == plays}

    def _past_of(self, index: int) -> Sequence[float]:
        return self._past.of(self._line.waiting[index].plan_slug)

    @staticmethod
    def _draw(build_id: UUID, lengths: Sequence[float], count: int) -> list[float]:
        return Random(build_id.int).choices(lengths, k=count)

    def _reckon(self, index: int, start: float) -> Estimate:
        """Returns what the one play with mean durations says of a start.

        Before it lie start / mean ends in a row, on each of as many workers (or permits) as hold the build back.
        """
        width = max(1, self._reasons[index][1])
        return Estimate(start, start + LATE_DEVIATIONS * math.sqrt(start * self._restlessness / width))

    def _in_order(self, found: dict[int, Estimate]) -> dict[int, Estimate]:
        """Where one way of reckoning ends and the other begins, too, nobody starts before whom it must follow."""
        before: dict[tuple[int, int], Estimate] = {}
        for index in sorted(index for index in found if self._line.waiting[index].due <= 0):
            chain, estimate = self._schedule.chain_of(index), found[index]
            former = before.get(chain, estimate)
            estimate = Estimate(max(estimate.median, former.median), max(estimate.late, former.late))
            before[chain] = found[index] = estimate
        return found


def _summed_up(starts: list[float]) -> Estimate:
    starts.sort()
    count = len(starts)
    return Estimate(starts[count // 2], starts[min(count - 1, math.ceil(LATE * count))])
