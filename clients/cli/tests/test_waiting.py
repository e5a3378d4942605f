"""The wait in the queue, told in plain words: the words alone, and on the screen."""

import datetime

import pytest
from google.protobuf import json_format

from cofounder.runner.v1 import build_pb2
from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1.build_view_pb2 import BuildView
from cofounder_cli import waiting
from cofounder_cli._gen.cofounder.runner import v1 as runner

NOON = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
READ = NOON - datetime.timedelta(seconds=25)
SYSTEM = {"reason": "REASON_SYSTEM", "limit": 4}


def words(**queue):
    """What is said at noon of what was true 25 seconds before."""
    message = json_format.ParseDict(queue, BuildView().queue)
    return waiting.lines(runner.QueuePosition.parse(message.SerializeToString()), read_time=READ, now=NOON)


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        ({"reason": "REASON_NEXT", "eta": "0s", "etaLate": "0s"}, "3rd in line · about to start"),
        (
            {**SYSTEM, "aheadOwn": 1, "aheadOthers": 1},
            "3rd in line · 1 of yours and 1 other ahead · all workers are busy",
        ),
        (
            {**SYSTEM, "limit": 0, "aheadOthers": 2, "aheadLater": 1},
            "3rd in line · 2 others ahead (1 by a head start) · no worker is there just now",
        ),
        (
            {"reason": "REASON_USER_LIMIT", "limit": 2, "aheadOwn": 2},
            "3rd in line · 2 of yours ahead · waits for one of your own 2 builds to end",
        ),
        ({"reason": "REASON_USER_LIMIT", "limit": 1}, "3rd in line · waits for your own build to end"),
        (
            {"reason": "REASON_PROJECT_LIMIT", "limit": 5},
            "3rd in line · waits for one of the project's 5 builds to end",
        ),
        ({"reason": "REASON_PROJECT_LIMIT", "limit": 1}, "3rd in line · waits for the project's other build to end"),
        (
            {"reason": "REASON_DAY_LIMIT", "limit": 5, "startAfterTime": "2026-05-02T00:07:00Z"},
            "scheduled for tomorrow 00:07 UTC: the day's 5 builds are spent",
        ),
        (
            {"reason": "REASON_DAY_LIMIT", "limit": 1, "startAfterTime": "2026-05-01T13:07:00Z"},
            "scheduled for today 13:07 UTC: the day's build is spent",
        ),
    ],
)
def test_the_place_and_the_reason(queue, told):
    assert words(position=3, **queue) == [told]


@pytest.mark.parametrize(
    ("eta", "late", "told"),
    [
        (65, 130, "starts in about 40 s (nine in ten within 1 min 45 s)"),
        (33, 33, "starts in about 8 s"),
        (75, 75, "starts in about 50 s"),
        (20, 75, "starts any moment (nine in ten within 50 s)"),
        (20, 25, "starts later than nine in ten such builds did"),
        (83, 85, "starts in about 1 min"),
        (7230, 13000, "starts in about 2 h (nine in ten within 3 h 40 min)"),
        (200_000, 400_000, "starts in about 3 days (nine in ten within 5 days)"),
    ],
)
def test_the_likely_start_is_counted_down_and_no_finer_than_it_is_known(eta, late, told):
    assert words(position=1, **SYSTEM, eta=f"{eta}s", etaLate=f"{late}s")[1:] == [told]


@pytest.mark.parametrize(
    ("forecasts", "kept", "told"),
    [
        (0, 0, []),
        (1, 1, ["the last such estimate held"]),
        (1, 0, ["the last such estimate did not hold"]),
        (20, 18, ["such estimates held 18 of the last 20 times"]),
    ],
)
def test_how_well_such_estimates_held(forecasts, kept, told):
    held = {"pastForecasts": forecasts, "pastKept": kept}
    assert words(position=1, **SYSTEM, eta="60s", etaLate="60s", **held)[2:] == told


@pytest.fixture
async def queued(server):
    """A build whose first three responses carry a view: it waits, it waits on, and it is late to say so."""
    server.batch = 1
    server.build.state = build_pb2.BUILD_STATE_QUEUED

    def beside(response):
        if response.through_sequence <= 3:
            response.view.read_time.CopyFrom(response.events[0].create_time)
            queue = response.view.queue
            queue.position, queue.ahead_own, queue.reason, queue.limit = 2, 1, 4, 1
            queue.eta.FromSeconds(40 - response.through_sequence)
            queue.eta_late.FromSeconds(90)

    server.rewrite = beside
    await server.append(
        life.BuildAccepted(goal="g"), life.AttemptFinished(next_state=build_pb2.BUILD_STATE_QUEUED),
        life.AttemptStarted(worker_id="w"), life.BuildCancelled(),
    )  # fmt: skip


async def test_a_pipe_is_told_once_for_each_reason(server, cli, queued):
    ran = await cli.run("watch", server.build.build_id)
    line = (
        "  2nd in line · 1 of yours ahead · all workers are busy · starts in about 40 s (nine in ten within 1 min 30 s)"
    )
    assert ran.out.splitlines().count(line) == 2  # an event between them ended the first wait
    assert ran.out.count("in line") == 2


async def test_a_terminal_shows_the_wait_as_it_is_and_nothing_of_it_stays(server, cli, queued):
    ran = await cli.run_in_terminal("watch", server.build.build_id, columns=100)
    assert "\x1b[2m  2nd in line · 1 of yours ahead · all workers are busy\x1b[0m\n" in ran.out
    assert "\x1b[2m  starts in about 40 s (nine in ten within 1 min 30 s)\x1b[0m\n" in ran.out
    assert "  queued · 0:0" in ran.out
    assert "in line" not in ran.out.rpartition("\x1b[J")[2]


async def test_a_record_holds_events_and_no_views(server, cli, queued):
    ran = await cli.run("watch", server.build.build_id, "--json")
    assert len(ran.out.splitlines()) == 4
    assert "line" not in ran.out + ran.err
