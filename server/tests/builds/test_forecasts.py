"""How forecasts are judged, and what the next ones learn from it."""

from uuid import UUID

import pytest

from cofounder_server.builds.forecasts import LEAST_LESSONS, Accuracy, Judged, judge
from cofounder_server.builds.line import Durations, Limits, Line, Running, Waiting
from cofounder_server.builds.position import UNCORRECTED, Correction, Estimate, survey

pytestmark = pytest.mark.unit


TOLD = Estimate(100, 200)


def forecasts(*waited, told=TOLD, correction=UNCORRECTED):
    return [Judged(told, correction, each, True) for each in waited]


def test_kept_is_who_started_before_the_late_time_and_one_that_did_not_start_is_not():
    judged = [*forecasts(90, 200, 201), Judged(Estimate(100, 200), UNCORRECTED, 150, False)]
    assert judge(judged) == Accuracy(4, 2, 75)
    assert judge(judged).share == 0.5


def test_nothing_is_judged_of_nothing():
    assert judge([]) == Accuracy(0, 0, None, UNCORRECTED)
    assert judge([]).share is None


def test_new_forecasts_learn_by_how_much_former_ones_were_wrong():
    waits = [150.0] * 17 + [300.0] * 3
    assert judge(forecasts(*waits)).correction == Correction(1.5, 1.5)
    # What those had learnt already is not learnt once more.
    assert judge(forecasts(*waits, correction=Correction(2.0, 3.0))).correction == Correction(3.0, 4.0)


def test_few_forecasts_teach_nothing_nor_do_waits_of_no_length():
    assert judge(forecasts(*[300.0] * (LEAST_LESSONS - 1))).correction == UNCORRECTED
    assert judge(forecasts(*[3.0] * 99, told=Estimate(0.5, 0.5))).correction == UNCORRECTED


@pytest.mark.parametrize(("waited", "factor"), [(1.0, 0.5), (100_000.0, 4.0)])
def test_no_more_is_learnt_than_is_sane(waited, factor):
    assert judge(forecasts(*[waited] * LEAST_LESSONS)).correction == Correction(factor, factor)


def test_a_correction_moves_likely_starts_and_nothing_else():
    past = Durations({"p": [60.0] * 5})
    me = UUID(int=1)
    waiting = [Waiting(UUID(int=2), "me", me, "p"), Waiting(UUID(int=3), "me", me, "p", 100.0)]
    line = Line(waiting, [Running(UUID(int=4), "me", me, "p")], {"p": Limits(2, 2, 5)}, 1)
    now, scheduled = survey(line, past, correction=Correction(1.5, 1.0)).values()
    assert (now.position, now.estimate) == (1, Estimate(90, 90))
    assert scheduled.estimate == Estimate(120, 120)
