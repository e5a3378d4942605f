"""The relay's own bookkeeping: what it asks for, and in which order."""

import asyncio

import pytest

from cofounder_gateway import relay

pytestmark = pytest.mark.unit


class Stream:
    """Takes requests when told to, and brings nothing."""

    def __init__(self):
        self.asked = []
        self.room = asyncio.Event()
        self.over = asyncio.Event()
        # A write that is cancelled may take its time.
        self.stopping = False
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def follow(self, request):
        try:
            await self.room.wait()
        except asyncio.CancelledError:
            self.stopping = True
            await self.let_go.wait()
            raise
        self.asked.append((list(request.follow_build_ids), list(request.unfollow_build_ids)))

    async def __aiter__(self):
        await self.over.wait()
        return
        yield

    def cancel(self):
        self.over.set()


@pytest.fixture
async def streams():
    return []


@pytest.fixture
async def running(streams):
    def connect():
        streams.append(Stream())
        return streams[-1]

    made = relay.Relay(connect, lambda response: None, first_delay=0.1, highest_delay=0.1)
    made.task = task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_build_let_go_and_taken_up_in_one_breath_is_asked_for_anew_and_in_that_order(
    streams, running, eventually
):
    await eventually(lambda: streams)
    running.follow("a")
    running.follow("b")
    running.unfollow("a")
    running.follow("a")
    streams[0].room.set()
    # In one request with both, the server could not tell which came last, and would not acknowledge again.
    await eventually(lambda: len(streams[0].asked) == 3)
    assert streams[0].asked == [(["a", "b"], []), ([], ["a"]), (["a"], [])]


async def test_after_a_break_all_builds_are_followed_again_and_no_more(streams, running, eventually):
    await eventually(lambda: streams)
    running.follow("a")
    running.follow("b")
    running.unfollow("a")
    streams[0].over.set()
    await eventually(lambda: len(streams) == 2)
    streams[1].room.set()
    await eventually(lambda: streams[1].asked)
    assert streams[1].asked == [(["b"], [])]


async def test_a_stop_that_comes_while_the_stream_breaks_is_not_lost(streams, running, eventually):
    await eventually(lambda: streams)
    streams[0].let_go.clear()
    running.follow("a")
    streams[0].over.set()
    await eventually(lambda: streams[0].stopping)
    running.task.cancel()
    streams[0].let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running.task, 30)
