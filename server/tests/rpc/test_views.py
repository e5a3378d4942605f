"""What is true of a waiting build just now: beside its log, to everybody who watches, and never in the way of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import grpc
import pytest

from cofounder.gateway.v1 import relay_service_pb2
from cofounder.runner.v1 import runner_service_pb2 as pb
from cofounder.runner.v1.build_view_pb2 import BuildView, QueuePosition
from cofounder_server.builds import board
from cofounder_server.builds.tail import Tail
from cofounder_server.builds.views import changed


@pytest.fixture
async def me(site):
    return await site.user("me", plan="bootstrapper")


async def start_of(site, build_id, state="running"):
    await site.pool.execute(
        "update builds set state = $2, attempt = 1, start_time = now() where build_id = $1", UUID(build_id), state
    )


async def read(call):
    async with asyncio.timeout(30):
        return pb.WatchBuildResponse.FromString(await call.read())


@pytest.fixture
async def waiting(site, me, build):
    """A queue with one slot, which one build holds, and two builds that wait."""
    await site.pool.execute("insert into workers values ('w', 1, false, now() + interval '1 day')")
    running, first, second = [(await build(me)).build_id for _ in range(3)]
    await start_of(site, running)
    return running, first, second


async def test_get_build_tells_where_a_waiting_build_stands(site, me, waiting):
    running, _, second = waiting
    view = (await me.call("GetBuild", build_id=second)).view
    assert (view.queue.position, view.queue.ahead_own, view.queue.ahead_others) == (2, 1, 0)
    assert (view.queue.reason, view.queue.limit) == (QueuePosition.REASON_SYSTEM, 1)
    assert not view.queue.HasField("eta")
    assert abs(view.read_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert not (await me.call("GetBuild", build_id=running)).HasField("view")


async def test_a_watch_of_a_waiting_build_is_shown_its_place_beside_the_log_and_when_that_is_over(site, me, waiting):
    _, first, second = waiting
    call = me.open("WatchBuild", build_id=second)
    assert [each.WhichOneof("kind") for each in (await read(call)).events] == ["build_accepted"]
    await site.parts.views.refresh()
    response = await read(call)
    assert (len(response.events), response.through_sequence) == (0, 1)
    assert (response.view.queue.position, response.view.queue.reason) == (2, QueuePosition.REASON_SYSTEM)
    await start_of(site, first, "succeeded")
    await start_of(site, second)
    await site.parts.views.refresh()
    response = await read(call)
    assert response.HasField("view")
    assert not response.view.HasField("queue")
    call.cancel()


async def test_a_view_is_sent_once_and_to_late_watchers_at_once(site, me, waiting, event, last_event):
    _, first, _ = waiting
    early = me.open("WatchBuild", build_id=first)
    await read(early)
    await site.parts.views.refresh()
    shown = (await read(early)).view
    for _ in range(2):
        await site.parts.views.refresh()
    late = me.open("WatchBuild", build_id=first)
    response = await read(late)
    assert (len(response.events), response.view.queue.position) == (1, 1)
    # As of now, although it says nothing else.
    assert response.view.read_time.ToDatetime() > shown.read_time.ToDatetime()
    await site.append(first, event("a"), last_event())
    for call in (early, late):
        rest = []
        while (body := await call.read()) is not grpc.aio.EOF:
            rest.append(pb.WatchBuildResponse.FromString(body))
        assert sum(each.HasField("view") for each in rest) == 0
        assert [each.sequence for response in rest for each in response.events] == [2, 3]


async def test_a_watch_of_a_build_that_is_over_ends_at_once_without_a_view(site, me, waiting, last_event):
    _, first, _ = waiting
    call = me.open("WatchBuild", build_id=first)
    await read(call)
    await site.parts.views.refresh()
    assert (await read(call)).HasField("view")
    await site.append(first, last_event())
    assert (await read(call)).events[0].HasField("build_succeeded")
    assert await me.call("WatchBuild", build_id=first, after_sequence=2) == []


async def test_all_watchers_share_one_survey_and_nobody_waits_for_one_where_no_build_waits(
    site, me, waiting, monkeypatch
):
    running, first, second = waiting
    surveyed = []

    def counted(line, past, watched, correction):
        surveyed.append(set(watched))
        return survey(line, past, watched, correction)

    survey = board.survey
    monkeypatch.setattr(board, "survey", counted)
    calls = [me.open("WatchBuild", build_id=running)]
    await read(calls[0])
    await site.parts.views.refresh()
    assert surveyed == []
    for build_id in (first, first, second):
        calls.append(me.open("WatchBuild", build_id=build_id))
        await read(calls[-1])
    await site.parts.views.refresh()
    for call in calls[1:]:
        assert (await read(call)).view.queue.position
    assert surveyed == [{UUID(first), UUID(second)}]
    for call in calls:
        call.cancel()


async def test_the_relay_carries_views_beside_stretches_and_only_the_newest(site, me, waiting):
    _, first, second = waiting
    gateway = await site.gateway()
    relay = gateway.relay()
    await relay.write(relay_service_pb2.RelayBuildsRequest(follow_build_ids=[first, second]))
    followed = set()
    async with asyncio.timeout(30):
        while followed < {first, second}:
            followed |= {each.build_id for each in (await relay.read()).stretches}
    await site.parts.views.refresh()
    views = {}
    async with asyncio.timeout(30):
        while len(views) < 2:
            message = await relay.read()
            assert not message.stretches
            views |= {each.build_id: each.view.queue.position for each in message.views}
    assert views == {first: 1, second: 2}
    relay.cancel()


async def test_of_views_that_came_while_a_watch_was_busy_it_yields_the_newest(site, me, waiting):
    _, first, _ = waiting
    watches = site.parts.watches
    stretches = watches.follow(UUID(first), after=0, progress_seconds=30)
    await anext(stretches)
    tail = watches.watched()[UUID(first)]
    for watchers in (1, 2, 3):
        tail.show(BuildView(watchers=watchers))
    stretch = await anext(stretches)
    assert (stretch.view.watchers, stretch.body, stretch.last) == (3, b"", 1)
    await stretches.aclose()


def test_a_view_does_not_outlive_the_build():
    tail = Tail(uuid4())
    tail.show(BuildView(watchers=1))
    tail.learn(7, over=True)
    assert tail.view is tail.announced is None


async def test_views_go_on_after_postgres_was_away(open_site, build):
    site = await open_site(view_seconds=0.05)
    me = await site.user("me")
    build_id = (await me.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id
    call = me.open("WatchBuild", build_id=build_id)
    await read(call)
    assert (await read(call)).view.queue.position == 1
    await site.pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    await site.pool.execute("insert into workers values ('w', 1, false, now() + interval '1 day')")
    while (await read(call)).view.queue.reason != QueuePosition.REASON_NEXT:
        pass
    call.cancel()


async def test_a_fault_in_a_survey_is_not_the_end_of_views(open_site, monkeypatch):
    faults = iter([ValueError("a fault of ours")])

    def faulty(*args):
        for fault in faults:
            raise fault
        return survey(*args)

    survey = board.survey
    monkeypatch.setattr(board, "survey", faulty)
    site = await open_site(view_seconds=0.05)
    me = await site.user("me")
    build_id = (await me.call("StartBuild", goal="g", request_id=str(uuid4()))).build.build_id
    call = me.open("WatchBuild", build_id=build_id)
    await read(call)
    assert (await read(call)).view.queue.position == 1
    assert next(faults, None) is None
    call.cancel()


def view(*, at=0.0, eta=None, late=None, **fields):
    made = BuildView()
    made.read_time.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at))
    made.queue.SetInParent()
    for name, value in fields.items():
        setattr(made.queue, name, value)
    for name, value in (("eta", eta), ("eta_late", late)):
        if value is not None:
            getattr(made.queue, name).FromTimedelta(timedelta(seconds=value))
    return made


@pytest.mark.parametrize(
    ("shown", "now", "is_news"),
    [
        (None, view(position=1), True),
        (view(position=1), view(position=1, at=9), False),
        (view(position=2), view(position=1), True),
        (view(position=1), BuildView(), True),
        (view(eta=60, late=90), view(eta=50, late=80, at=10), False),
        (view(eta=60, late=90), view(eta=53, late=83, at=10), True),
        (view(eta=60, late=90), view(eta=50, late=86, at=10), True),
        (view(eta=600, late=900), view(eta=620, late=920), False),
        (view(), view(eta=1, late=1), True),
        (view(eta=5, late=5, past_kept=1), view(eta=5, late=5, past_kept=2), True),
    ],
)
def test_that_time_passes_is_no_news(shown, now, is_news):
    assert changed(shown, now) == is_news
