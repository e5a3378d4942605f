"""A watcher that nobody may vouch for just now holds back, wherever it stands."""

import asyncio

import pytest

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_view_pb2, runner_service_pb2
from cofounder_gateway import feed, frames, outbox, watcher
from cofounder_gateway.ring import Stretch

pytestmark = pytest.mark.unit


def stretch(after, last):
    response = runner_service_pb2.WatchBuildResponse()
    for number in range(after + 1, last + 1):
        response.events.add(sequence=number)
    return Stretch.of(after=after, last=last, events=response.SerializeToString())


class Scene:
    """A feed, a socket that takes frames while `room` is set, a log that counts its readers, and one watcher."""

    def __init__(self, *, head=0):
        self.feed = feed.Feed("b", ring_bytes=10_000, max_batch_bytes=10_000)
        self.room = asyncio.Event()
        self.room.set()
        self.sent = []
        self.reads = 0
        self.out = outbox.Outbox(self._write, lambda: 0, write_deadline=30, max_pending_bytes=10_000)
        self.watcher = watcher.Watcher(
            1,
            self.feed,
            cursor=0,
            head=head,
            codec=frames.ProtoCodec(),
            outbox=self.out,
            read_log=self._read,
            min_interval=0,
            progress=0.1,
            max_batch_bytes=10_000,
        )

    async def _write(self, frame):
        await self.room.wait()
        self.sent.append(frame_pb2.ServerFrame.FromString(frame).batch.response)

    async def _read(self, build_id, cursor):
        self.reads += 1
        return stretch(cursor, 3)

    def sequences(self):
        return [event.sequence for response in self.sent for event in response.events]


@pytest.fixture
async def play():
    tasks = []

    def play(scene):
        tasks.append(asyncio.create_task(scene.watcher.run()))

    yield play
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_d_3_a_watcher_suspended_while_it_waits_for_the_socket_sends_nothing_that_came_before(play, eventually):
    scene = Scene()
    scene.feed.take(stretch(0, 0))
    scene.room.clear()
    blocked = asyncio.create_task(scene.out.send(frames.ProtoCodec().frame(frame_pb2.ServerFrame())))
    await asyncio.sleep(0)
    scene.feed.take(stretch(0, 2))
    play(scene)
    # Until it stands behind the write that blocks.
    await eventually(lambda: scene.out._turn._waiters)
    scene.watcher.suspend(True)
    scene.room.set()
    await blocked
    await eventually(lambda: len(scene.sent) >= 3)
    assert scene.sequences() == []
    scene.watcher.suspend(False)
    await eventually(lambda: scene.sequences() == [1, 2])


async def test_d_3_a_suspended_watcher_that_is_behind_reads_no_log_and_sends_its_cursor_only(play, eventually):
    scene = Scene(head=3)
    scene.watcher.suspend(True)
    play(scene)
    await eventually(lambda: len(scene.sent) >= 3)
    assert (scene.reads, scene.sequences()) == (0, [])
    scene.watcher.suspend(False)
    await eventually(lambda: scene.sequences() == [1, 2, 3])


async def test_bookmarkable_a_watcher_whose_log_cannot_be_read_is_told_its_cursor_meanwhile(play, eventually):
    scene = Scene(head=9)

    async def nothing_new(build_id, cursor):
        return stretch(3, 3)

    scene.watcher._read_log = nothing_new
    scene.watcher.cursor = 3
    play(scene)
    await eventually(lambda: len(scene.sent) >= 3)
    assert {response.through_sequence for response in scene.sent} == {3}


async def test_c_8_of_views_that_came_while_the_socket_was_busy_the_newest_is_sent_and_no_event_is_late_for_it(
    play, eventually
):
    scene = Scene()
    scene.feed.take(stretch(0, 0))
    play(scene)
    await eventually(lambda: len(scene.sent) == 1)
    scene.room.clear()
    scene.feed.take(stretch(0, 1))
    await eventually(lambda: scene.watcher.cursor == 1)
    for watchers in range(1, 9):
        scene.feed.show(build_view_pb2.BuildView(watchers=watchers))
    scene.feed.take(stretch(1, 2))
    scene.room.set()
    await eventually(lambda: scene.sequences() == [1, 2])
    assert [response.view.watchers for response in scene.sent if response.HasField("view")] == [8]


async def test_a_view_does_not_outlive_the_build(play, eventually):
    scene = Scene()
    scene.feed.take(stretch(0, 0))
    scene.feed.show(build_view_pb2.BuildView(watchers=1))
    scene.feed.take(Stretch.of(after=0, last=1, events=stretch(0, 1).piece.events, over=True))
    play(scene)
    await eventually(lambda: scene.sequences() == [1])
    assert not scene.sent[-1].HasField("view")
