"""The board over a real Postgres: what is read, what is told, what is recorded and how it is judged."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from cofounder_server.builds.board import Board
from cofounder_server.builds.forecasts import Accuracy, Forecasts
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.line import Reason
from cofounder_server.builds.position import UNCORRECTED, Correction, Estimate

pytestmark = pytest.mark.integration

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Stopped:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps by it")


@pytest.fixture
def clock():
    return Stopped()


@pytest.fixture
def forecasts(pool):
    return Forecasts(pool)


@pytest.fixture
def board(pool, forecasts, clock):
    return Board(pool, forecasts, clock)


@pytest.fixture
def put(pool, project):
    """`await put("queued", …)`: writes a build into the database as it may be there, and returns its id."""

    numbers = itertools.count()

    async def put(state, *, owner="me", plan="partner", priority=0, started=None, took=None, attempt=1, **columns):
        project_id = project
        if owner != "me":
            project_id = await pool.fetchval(
                "insert into projects (project_id, title, owner_id, request_id) values ($1, 'P', $2, $3) "
                "returning project_id",
                uuid4(),
                owner,
                uuid4(),
            )
        values = {
            "build_id": uuid7(NOW + timedelta(milliseconds=next(numbers))),
            "project_id": project_id,
            "payer_id": owner,
            "creator_id": "me",
            "goal": "g",
            "request_id": uuid4(),
            "request_hash": b"",
            "plan_slug": plan,
            "scenario": "",
            "budget_microdollars": 0,
            "rehearsal": False,
            "state": state,
            "priority": priority,
            "attempt": attempt,
            "start_time": started,
            "finish_time": started + timedelta(seconds=took) if took is not None else None,
            **columns,
        }
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await pool.execute(f"insert into builds ({', '.join(values)}) values ({places})", *values.values())
        return values["build_id"]

    return put


@pytest.fixture
def worker(pool):
    async def worker(slots, *, draining=False, silent=0.0):
        await pool.execute(
            "insert into workers values ($1, $2, $3, now() - $4::interval)",
            uuid4().hex,
            slots,
            draining,
            timedelta(seconds=silent),
        )

    return worker


@pytest.fixture
def ended(put):
    """Puts builds that are over and took so long."""

    async def ended(*seconds, **columns):
        return [await put("succeeded", started=NOW - timedelta(days=1), took=each, **columns) for each in seconds]

    return ended


async def test_the_line_is_read_as_the_queue_orders_it_with_the_limits_of_its_plans(board, put, worker, ended):
    await ended(60, 60, 60, 60, 60)
    await worker(2)
    await put("running", started=NOW - timedelta(seconds=20))
    await put("running", owner="you", plan="bootstrapper", started=NOW - timedelta(seconds=10))
    second = await put("queued", priority=2)
    first = await put("queued", priority=1, owner="you", plan="bootstrapper")
    for state in ("waiting", "paused", "failed"):
        await put(state)
    survey = await board.survey([first, second], fresh_seconds=1)
    places = survey.places
    assert [places[each].position for each in (first, second)] == [1, 2]
    assert [places[each].reason for each in (first, second)] == [Reason.SYSTEM, Reason.SYSTEM]
    assert places[first].limit == 2
    assert [places[each].estimate.median for each in (first, second)] == [40, 50]
    assert (places[second].ahead_own, places[second].ahead_others, places[second].ahead_later) == (0, 1, 1)


async def test_limits_are_those_in_the_database(board, pool, put, worker):
    await worker(9)
    await pool.execute("update plans set concurrent_user = 1 where plan_slug = 'partner'")
    await put("running", started=NOW)
    waiting = await put("queued")
    place = (await board.survey([waiting], fresh_seconds=1)).places[waiting]
    assert (place.reason, place.limit) == (Reason.USER_LIMIT, 1)


async def test_only_workers_that_are_there_and_stay_count(board, put, worker, ended):
    await ended(60, 60, 60, 60, 60)
    await worker(4, draining=True)
    await worker(4, silent=16)
    waiting = await put("queued")
    place = (await board.survey([waiting], fresh_seconds=1)).places[waiting]
    assert (place.reason, place.limit, place.estimate) == (Reason.SYSTEM, 0, None)


async def test_a_scheduled_build_stands_behind_and_says_until_when(board, put, worker, ended):
    await ended(60)
    await worker(1)
    midnight = NOW + timedelta(hours=12)
    tomorrow = await put("scheduled", priority=-5, start_after=midnight)
    now = await put("queued")
    survey = await board.survey([tomorrow, now], fresh_seconds=1)
    assert survey.start_after == {tomorrow: midnight}
    place = survey.places[tomorrow]
    assert (place.position, place.reason, place.limit) == (2, Reason.DAY_LIMIT, 50)
    assert place.estimate.median == 12 * 3600


async def test_past_builds_that_changed_hands_say_nothing_of_how_long_one_takes(board, put, worker, ended):
    await ended(30, 30, 30, 30, 30)
    await ended(9000, attempt=2)
    await worker(1)
    await put("running", started=NOW)
    waiting = await put("queued")
    assert (await board.survey([waiting], fresh_seconds=1)).places[waiting].estimate == Estimate(30, 30)


async def test_those_who_ask_at_a_time_share_one_survey(pool, forecasts, clock, put):
    class Counting(Board):
        taken = 0

        async def _take(self, asked):
            self.taken += 1
            return await super()._take(asked)

    board = Counting(pool, forecasts, clock)
    builds = [await put("queued") for _ in range(20)]
    surveys = await asyncio.gather(*(board.survey([each], fresh_seconds=60) for each in builds))
    assert all(build_id in survey.places for build_id, survey in zip(builds, surveys, strict=True))
    # The first asks alone or with some; all that asked while it read are answered by the second.
    assert board.taken <= 2
    await board.survey(builds, fresh_seconds=60)
    assert board.taken <= 2
    other = uuid4()
    assert other in (await board.survey([other], fresh_seconds=60)).asked


async def test_a_builds_first_forecast_is_recorded_once_and_stands(board, pool, put, worker, ended, clock):
    await ended(60, 60, 60, 60, 60)
    await worker(1)
    await put("running", started=NOW)
    waiting, next_, again, tomorrow = (
        await put("queued"),
        await put("queued", owner="you"),
        await put("queued", started=NOW - timedelta(hours=1)),
        await put("scheduled", start_after=NOW + timedelta(hours=1)),
    )
    await board.survey([waiting, again, tomorrow], fresh_seconds=0)
    clock.time += timedelta(seconds=10)
    await board.survey([waiting, next_], fresh_seconds=0)
    rows = await pool.fetch("select * from forecasts order by forecast_time")
    assert [(row["build_id"], row["forecast_time"], row["eta"].seconds) for row in rows] == [
        (waiting, NOW, 60),
        (next_, NOW + timedelta(seconds=10), 110),
    ]
    # Another server, which has not recorded anything yet, changes nothing.
    await Board(pool, Forecasts(pool), clock).survey([waiting], fresh_seconds=0)
    assert await pool.fetch("select * from forecasts order by forecast_time") == rows


async def test_a_build_about_to_start_is_no_forecast(board, pool, put, worker, ended):
    await ended(60)
    await worker(1)
    waiting = await put("queued")
    assert (await board.survey([waiting], fresh_seconds=0)).places[waiting].reason is Reason.NEXT
    assert await pool.fetch("select * from forecasts") == []


async def test_a_forecast_of_a_build_that_was_deleted_meanwhile_is_nothing(forecasts, pool):
    await forecasts.record({uuid4(): Estimate(1, 2)}, UNCORRECTED, time=NOW)
    assert await pool.fetch("select * from forecasts") == []


async def test_forecasts_are_judged_by_when_builds_started(forecasts, pool, put):
    def estimates(*builds):
        return dict.fromkeys(builds, Estimate(10, 20))

    async def started(seconds):
        return await put("running", started=NOW + timedelta(seconds=seconds))

    assert await forecasts.accuracy(now=NOW) == Accuracy()
    builds: list[UUID] = [await started(seconds) for seconds in (4, 15, 20, 30)]
    waits = await put("queued")
    await forecasts.record(estimates(*builds, waits), UNCORRECTED, time=NOW)
    # Missed by 6, 5, 10 and 20 seconds; the one that waits is not late yet.
    assert await forecasts.accuracy(now=NOW + timedelta(seconds=19)) == Accuracy(4, 3, 8.0)
    # Then it is, by 25 seconds so far, and no later start can change that it was.
    assert await forecasts.accuracy(now=NOW + timedelta(seconds=35)) == Accuracy(5, 3, 10.0)
    # One that is ended before it is late says nothing; one that is ended after it was late does.
    await pool.execute(
        "update builds set state = 'cancelled', finish_time = $2 where build_id = $1", waits, NOW + timedelta(seconds=9)
    )
    assert (await forecasts.accuracy(now=NOW + timedelta(seconds=99))).judged == 4
    await pool.execute("update builds set finish_time = $2 where build_id = $1", waits, NOW + timedelta(seconds=21))
    assert (await forecasts.accuracy(now=NOW + timedelta(seconds=99))).judged == 5


async def test_only_the_newest_200_forecasts_are_judged(forecasts, put):
    old = await put("running", started=NOW + timedelta(days=1))
    await forecasts.record({old: Estimate(10, 20)}, UNCORRECTED, time=NOW - timedelta(days=1))
    assert await forecasts.accuracy(now=NOW) == Accuracy(1, 0, pytest.approx(2 * 86400 - 10))
    new = {await put("running", started=NOW + timedelta(seconds=11)): Estimate(10, 20) for _ in range(200)}
    await forecasts.record(new, Correction(1.0, 2.0), time=NOW)
    # `late` had been doubled for what former ones taught; 1.1 times what plays said would have done.
    assert await forecasts.accuracy(now=NOW) == Accuracy(200, 200, 1.0, Correction(1.1, 1.1))


@pytest.mark.parametrize(
    ("plan", "running", "reason"),
    [
        # An operator took the plan away: it gives what the default one gives, two at once, here as at a claim.
        ("a plan of old", 2, Reason.USER_LIMIT),
        # -1 stands for no limit.
        ("partner", 4, Reason.NEXT),
    ],
)
async def test_limits_are_those_of_the_claims(pool, board, put, worker, plan, running, reason):
    await pool.execute("update plans set concurrent_user = -1, concurrent_project = -1 where plan_slug = 'partner'")
    await worker(20)
    for _ in range(running):
        await put("running", plan=plan, started=NOW)
    waits = await put("queued", plan=plan)
    assert (await board.survey([waits], fresh_seconds=1)).places[waits].reason is reason
