"""`cofounder usage`: each limit, how much is used, when it starts anew; for a person, a pipe and a program."""

import asyncio
import datetime
import json
import signal

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_cli import cells, show_usage
from cofounder_cli._gen.cofounder.usage import v1 as usage

NOW = datetime.datetime(2026, 11, 1, 18, 30, tzinfo=datetime.UTC)
MIDNIGHT = datetime.datetime(2026, 11, 2, tzinfo=datetime.UTC)
BUILD = "019377e0-0000-7000-8000-000000000001"


def limit(name, used, allowed, reserved=0, reset=MIDNIGHT):
    return usage.LimitUse(limit=name, used=used, allowed=allowed, reserved=reserved, reset_time=reset)


LIMITS = [
    limit("tokens_per_day", 182_400, 500_000, reserved=12_000),
    limit("builds_per_day", 2, 5),
    limit("cost_per_day", 1_234_500, -1),
    limit("concurrent_builds", 1, 2, reset=None),
]


def test_the_table_says_of_each_limit_what_is_used_what_is_left_and_when_it_starts_anew():
    assert show_usage.today(LIMITS, now=NOW, columns=100) == [
        "  today               used         of     held      left   starts anew",
        "  tokens           182,400    500,000   12,000   305,600   in 5 h 30 min",
        "  builds                 2          5                  3   in 5 h 30 min",
        "  cost               $1.23   no limit                      in 5 h 30 min",
        "  builds at once         1          2                  1   as each ends",
    ]


def test_on_a_narrow_terminal_the_limits_and_their_times_stay():
    lines = show_usage.today(LIMITS, now=NOW, columns=60)
    assert lines[1].split() == ["tokens", "182,400", "500,000", "in", "5", "h", "30", "min"]
    assert max(map(cells.width, lines)) <= 60


def test_nothing_is_left_where_the_plan_was_lowered_and_never_less():
    lines = show_usage.today([limit("tokens_per_day", 3_000_000, 2_000_000)], now=NOW, columns=100)
    assert lines[1].split()[1:4] == ["3,000,000", "2,000,000", "0"]


def test_a_limit_newer_than_this_program_is_shown_by_its_own_name_and_cannot_steer_the_terminal():
    lines = show_usage.today([limit("previews_per\x1b[2Jweek", 1, 2)], now=NOW, columns=100)
    assert lines[1].startswith("  previews perweek")


SUMS = [
    usage.UsageSum(key=BUILD, calls=3, tokens=4_000, cost_microdollars=1_300_000),
    usage.UsageSum(key="", calls=1, tokens=200, cost_microdollars=2_000_000),
    usage.UsageSum(key="(credits)", cost_microdollars=-300_000),
]


def test_sums_stand_in_one_unit_the_dearest_first_with_all_of_it_last():
    assert show_usage.sums(SUMS, days=7, by="build", columns=100) == [
        "  last 7 days                            calls   tokens       cost",
        "  (interview)                                1      200    $2.0000",
        f"  {BUILD}       3    4,000    $1.3000",
        "  (credits)                                  0        0   -$0.3000",
        "  all                                        4    4,200    $3.0000",
    ]


@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_sums_leave_out_what_can_be_before_an_id_is_cut(columns):
    lines = show_usage.sums(SUMS, days=1, by="build", columns=columns)
    assert any(BUILD in line for line in lines) is (columns >= 60)
    assert max(map(cells.width, lines)) <= max(columns, 30)
    assert lines[0].split()[0] == "today"


def test_days_stay_in_their_order():
    days = [usage.UsageSum(key=f"2026-11-0{n}", cost_microdollars=n) for n in (1, 2)]
    assert [line.split()[0] for line in show_usage.sums(days, days=7, by="day", columns=80)[1:3]] == [
        "2026-11-01",
        "2026-11-02",
    ]


def told(used):
    reset = Timestamp()
    reset.FromDatetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=30))
    return pb.LimitUse(limit="tokens_per_day", used=used, allowed=500, reset_time=reset)


async def test_a_person_sees_two_tables_and_a_program_one_object(server, cli):
    server.usage.limits = [told(300)]
    server.usage.sums = [pb.UsageSum(key="2026-11-01", calls=1, tokens=300, cost_microdollars=2**53 + 1)]
    ran = await cli.run("usage")
    assert (ran.exit_code, ran.err) == (0, "")
    assert "  tokens    300   500    200   in 30 h" in ran.out
    assert "  last 7 days   calls   tokens" in ran.out
    machine = json.loads((await cli.run("usage", "--json")).out)
    assert json_format.ParseDict({"limits": machine["limits"]}, pb.GetUsageResponse()).limits == server.usage.limits
    assert machine["sums"][0]["costMicrodollars"] == str(2**53 + 1)


async def test_what_is_asked_for_is_what_was_typed(server, cli):
    before = datetime.datetime.now(datetime.UTC).date()
    ran = await cli.run("usage", "--days", "30", "--by", "model")
    assert "Nothing was used in the last 30 days." in ran.out
    (asked,) = server.usage.asked
    first, last = map(datetime.date.fromisoformat, (asked.first_day, asked.last_day))
    assert before <= last <= datetime.datetime.now(datetime.UTC).date()
    assert (last - first).days == 29
    assert asked.dimension == pb.USAGE_DIMENSION_MODEL


@pytest.mark.parametrize(
    "words",
    [("--days", "0"), ("--days", "367"), ("--by", "week"), ("--watch", "--days", "3"), ("--watch", "--by", "day")],
)
async def test_wrong_usage_is_said_before_anything_is_asked(server, cli, words):
    ran = await cli.run("usage", *words)
    assert ran.exit_code == 2
    assert "Error: " in ran.err
    assert server.usage.asked == []


async def test_a_watch_in_a_pipe_writes_a_line_for_each_change_across_a_lost_connection(server, cli):
    await server.usage.show(told(1))
    process = await cli.spawn("usage", "--watch")
    async with asyncio.timeout(30):
        assert b"tokens 1 of 500" in await process.stdout.readline()
        server.usage.cut = True
        await server.usage.show(told(2))
        assert b"tokens 2 of 500" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert b"Connection lost" in err
    assert b"Connected again" in err


async def test_a_watch_as_json_writes_an_object_a_line(server, cli):
    await server.usage.show(told(1))
    process = await cli.spawn("usage", "--watch", "--json")
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        await process.wait()
    assert json_format.Parse(line, pb.WatchUsageResponse()).limits == server.usage.limits
