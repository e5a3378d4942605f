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

    async def follow(self, request):
        await self.room.wait()
        self.asked.append((list(request.follow_build_ids), list(request.unfollow_build_ids)))

    async def __aiter__(self):
        await self.over.wait()
        return
        yield

    def cancel(self):
        self.over.set()


@pytest.fixture
async def stream():
    return Stream()


@pytest.fixture
async def running(stream):
    made = relay.Relay(lambda: stream, lambda response: None, first_delay=0.1, highest_delay=0.1)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_build_let_go_and_taken_up_in_one_breath_is_asked_for_anew_and_in_that_order(
    stream, running, eventually
):
    running.follow("a")
    running.follow("b")
    running.unfollow("a")
    running.follow("a")
    stream.room.set()
    # In one request with both, the server could not tell which came last, and would not acknowledge again.
    await eventually(lambda: len(stream.asked) == 3)
    assert stream.asked == [(["a", "b"], []), ([], ["a"]), (["a"], [])]


async def test_after_a_break_all_builds_are_followed_again_and_no_more(stream, running, eventually):
    stream.room.set()
    running.follow("a")
    running.follow("b")
    running.unfollow("a")
    await eventually(lambda: stream.asked)
    stream.asked.clear()
    stream.over.set()
    stream.over = asyncio.Event()
    await eventually(lambda: stream.asked)
    assert stream.asked == [(["b"], [])]
