"""The truth about a wait, against a scheduler that is slow and obvious."""

import dataclasses
import itertools
import math
import random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofounder_server.builds.line import Durations, Limits, Line, Reason, Running, Waiting
from cofounder_server.builds.position import survey
from cofounder_server.builds.schedule import Schedule

pytestmark = pytest.mark.unit

PLANS = {"small": Limits(1, 1, 5), "middle": Limits(2, 1, 50), "large": Limits(3, 2, 200)}
PAST = Durations({"small": [10.0, 20.0, 30.0, 40.0, 400.0], "middle": [5.0] * 9, "large": [60.0, 90.0, 20.0]})


@st.composite
def lines(draw, *, scheduled=True, plans=PLANS):
    """Any line: users with several projects and changing plans, more running than there are slots, and the like."""
    builds = st.tuples(st.sampled_from("ab"), st.sampled_from((1, 2, 3)), st.sampled_from(sorted(plans)))
    numbers = itertools.count(1)

    def named(owner, which):
        return UUID(int=next(numbers) << 64), owner, UUID(int=which)

    dues = st.sampled_from((0.0, 0.0, 0.0, 7.5, 1000.0) if scheduled else (0.0,))
    waiting = [
        Waiting(*named(owner, which), plan, due)
        for (owner, which, plan), due in draw(st.lists(st.tuples(builds, dues), max_size=14))
    ]
    ages = st.sampled_from((0.0, 15.0, 500.0))
    running = [
        Running(*named(owner, which), plan, age)
        for (owner, which, plan), age in draw(st.lists(st.tuples(builds, ages), max_size=5))
    ]
    return Line(draw(st.permutations(waiting)), running, plans, draw(st.integers(0, 7)))


def brute_force(line, lengths, remaining):
    """When each build starts: at every moment the whole line is gone through from its front."""
    now, starts, busy = 0.0, {}, [(end, build) for end, build in zip(remaining, line.running, strict=True)]
    while True:
        for index, build in enumerate(line.waiting):
            limits = line.limits[build.plan_slug]
            if (
                index not in starts
                and build.due <= now
                and len(busy) < line.slots
                and sum(other.payer_id == build.payer_id for _, other in busy) < limits.user
                and sum(other.project_id == build.project_id for _, other in busy) < limits.project
            ):
                starts[index] = now
                busy.append((now + lengths[index], build))
        moments = [end for end, _ in busy] + [build.due for build in line.waiting if build.due > now]
        if not moments or len(starts) == len(line.waiting):
            return starts
        now = min(moments)
        busy = [each for each in busy if each[0] > now]


@settings(max_examples=500, deadline=None)
@given(lines(), st.randoms(use_true_random=False))
def test_the_schedule_is_that_of_a_scheduler_that_goes_through_the_whole_line_at_every_moment(line, chance):
    lengths = [chance.uniform(1, 100) for _ in line.waiting]
    remaining = [chance.uniform(1, 100) for _ in line.running]
    everybody = set(range(len(line.waiting)))
    played = Schedule(line).play(lengths, remaining, wanted=everybody, most=1000)
    assert played == pytest.approx(brute_force(line, lengths, remaining))
    assert list(played.values()) == sorted(played.values())


@settings(deadline=None)
@given(lines())
def test_the_places_are_1_to_n_and_say_who_is_ahead(line):
    places = survey(line, PAST)
    assert sorted(place.position for place in places.values()) == list(range(1, len(line.waiting) + 1))
    standing = sorted(line.waiting, key=lambda build: places[build.build_id].position)
    # Who waits now stands in the queue's order, and who is scheduled behind, by the time.
    assert standing == sorted(line.waiting, key=lambda build: build.due)
    for index, build in enumerate(standing):
        place, ahead = places[build.build_id], standing[:index]
        assert place.ahead_own == sum(other.payer_id == build.payer_id for other in ahead)
        assert place.ahead_others == index - place.ahead_own
        assert place.ahead_later == sum(other.build_id > build.build_id for other in ahead)


@settings(deadline=None)
@given(lines())
def test_the_reasons_are_what_a_try_to_start_each_build_now_meets(line):
    places = survey(line, PAST)
    busy = list(line.running)
    for build in line.waiting:
        limits, place = line.limits[build.plan_slug], places[build.build_id]
        if build.due > 0:
            expected = Reason.DAY_LIMIT, limits.day
        elif sum(other.payer_id == build.payer_id for other in busy) >= limits.user:
            expected = Reason.USER_LIMIT, limits.user
        elif sum(other.project_id == build.project_id for other in busy) >= limits.project:
            expected = Reason.PROJECT_LIMIT, limits.project
        elif len(busy) >= line.slots:
            expected = Reason.SYSTEM, line.slots
        else:
            expected = Reason.NEXT, line.slots
            busy.append(build)
        assert (place.reason, place.limit) == expected


@settings(deadline=None)
@given(lines())
def test_a_likely_start_is_never_in_the_past_nor_before_what_it_is_scheduled_for(line):
    places = survey(line, PAST)
    for build in line.waiting:
        place = places[build.build_id]
        if place.estimate is None:
            assert not line.slots
            continue
        assert build.due <= place.estimate.median <= place.estimate.late
        if place.reason is Reason.NEXT:
            assert place.estimate.late == 0


@settings(deadline=None)
@given(lines(scheduled=False), st.booleans())
def test_of_one_user_in_one_project_on_one_plan_none_starts_before_whom_it_follows(line, long):
    if long:
        # Beyond what is played: the rest is reckoned otherwise.
        many = [build._replace(build_id=UUID(int=number)) for number, build in enumerate(line.waiting * 60)]
        line = dataclasses.replace(line, waiting=many)
    places = survey(line, PAST)
    for former, latter in itertools.pairwise(sorted(line.waiting, key=lambda build: build[1:4])):
        if former[1:4] == latter[1:4] and line.slots:
            one, next_ = places[former.build_id].estimate, places[latter.build_id].estimate
            assert one.median <= next_.median
            assert one.late <= next_.late


@settings(deadline=None)
@given(lines())
def test_a_forecast_is_the_same_wherever_and_whenever_it_is_made(line):
    assert survey(line, PAST) == survey(line, PAST)


@settings(deadline=None)
@given(lines(), st.sets(st.integers(0, 13)))
def test_who_is_watched_changes_nothing_but_how_far_is_looked(line, chosen):
    watched = {build.build_id for index, build in enumerate(line.waiting) if index in chosen}
    everybody = survey(line, PAST)
    some = survey(line, PAST, watched)
    assert some.keys() == watched
    for build_id, place in some.items():
        assert dataclasses.replace(place, estimate=None) == dataclasses.replace(everybody[build_id], estimate=None)


def waiting(count, *, payer="me", plan="large", first=1):
    return [
        Waiting(UUID(int=first + number << 64), f"{payer}{number}" if payer != "me" else "me", UUID(int=number), plan)
        for number in range(count)
    ]


def test_without_past_builds_nothing_is_foretold():
    line = Line(waiting(1), [Running(UUID(int=9), "you", UUID(int=9), "large", 1.0)], PLANS, 1)
    (place,) = survey(line, Durations({})).values()
    assert (place.position, place.reason, place.estimate) == (1, Reason.SYSTEM, None)


def test_without_a_worker_nothing_is_foretold():
    (place,) = survey(Line(waiting(1), [], PLANS, 0), PAST).values()
    assert (place.reason, place.limit, place.estimate) == (Reason.SYSTEM, 0, None)


def test_a_plan_with_too_few_past_builds_borrows_from_all():
    past = Durations({"small": [100.0] * 4, "large": [10.0] * 5})
    assert list(past.of("large")) == [10.0] * 5
    assert list(past.of("small")) == [10.0] * 5 + [100.0] * 4


def test_one_past_build_is_no_certainty():
    assert list(Durations({"large": [40.0]}).of("large")) == [20.0, 40.0, 80.0]


def test_a_running_build_is_expected_to_end_after_its_age_and_one_that_outlived_all_in_as_long_again():
    past = Durations({"large": [10.0, 20.0, 30.0, 40.0, 50.0]})
    assert list(past.beyond("large", 25.0)) == [5.0, 15.0, 25.0]
    assert list(past.beyond("large", 60.0)) == [10.0, 20.0, 30.0, 40.0, 50.0]


def test_a_build_of_an_unknown_plan_is_held_back_by_the_workers_only():
    line = Line(waiting(2, plan="gone"), [], PLANS, 1)
    assert [place.reason for place in survey(line, PAST).values()] == [Reason.NEXT, Reason.SYSTEM]


def test_far_back_in_a_long_line_the_reckoning_agrees_with_plays():
    """The likely start of the 1 500th of many, and its spread, against 300 plays of the whole line."""
    chance = random.Random(7)
    lengths = [chance.lognormvariate(3, 0.8) for _ in range(400)]
    past = Durations({"large": lengths})
    line = Line(waiting(1500, payer="u"), [], PLANS, 10)
    last = line.waiting[-1].build_id
    estimate = survey(line, past, {last})[last].estimate
    plays = sorted(
        Schedule(line).play(chance.choices(lengths, k=1500), [], wanted={1499}, most=1500)[1499] for _ in range(300)
    )
    assert estimate.median == pytest.approx(plays[150], rel=0.03)
    assert estimate.late == pytest.approx(plays[math.ceil(0.9 * 300)], rel=0.03)
