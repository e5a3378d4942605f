"""C-8: a slow reader is cut or served at its pace, holds little memory, and nobody else notices."""

import asyncio

import pytest

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import runner_service_pb2
from cofounder_gateway import outbox

KIB = 1024


@pytest.mark.integration
async def test_c_8_a_reader_that_takes_nothing_is_cut_with_4008_and_resumes_without_loss(
    server, start_gateway, browse, eventually
):
    gateway = start_gateway(write_deadline_seconds=0.2, goodbye_seconds=20, send_buffer_bytes=16 * KIB)
    slow = await browse(gateway, receive_buffer=8 * KIB, max_queue=1)
    fast = await browse(gateway)
    await slow.watch("b")
    await fast.watch("b")
    for _ in range(100):
        server.append("b", "x" * 16 * KIB)
        await fast.events(1)
    await eventually(lambda: gateway.endpoint.leaving == 1)
    code, frames = await slow.closed()
    assert code == 4008
    assert frames[-1].leave.action == frame_pb2.Leave.ACTION_RESUME
    cursor = max(frame.batch.response.through_sequence for frame in frames)
    assert cursor < 100
    again = await browse(gateway)
    await again.watch("b", after=cursor)
    events = await again.events(100 - cursor)
    assert [event.sequence for event in events] == list(range(cursor + 1, 101))


@pytest.mark.integration
async def test_c_8_a_reader_that_never_reads_again_is_cut_without_a_goodbye(server, start_gateway, browse, eventually):
    gateway = start_gateway(write_deadline_seconds=0.2, goodbye_seconds=0.2, send_buffer_bytes=16 * KIB)
    slow = await browse(gateway, receive_buffer=8 * KIB, max_queue=1)
    transport = next(iter(gateway.endpoint._connections.values()))._transport
    await slow.watch("b")
    server.append("b", *["x" * 16 * KIB] * 200)
    await eventually(lambda: len(gateway.endpoint) == 0)
    # What the transport held is gone too, though nobody has read it.
    await eventually(lambda: transport.get_write_buffer_size() == 0)
    code, _ = await slow.closed()
    assert code == 1006


@pytest.mark.integration
async def test_c_8_what_waits_for_a_stuck_reader_is_bounded_while_others_get_everything(
    server, start_gateway, browse, eventually
):
    gateway = start_gateway(write_deadline_seconds=60, max_batch_bytes=64 * KIB, send_buffer_bytes=16 * KIB)
    slow = await browse(gateway, receive_buffer=8 * KIB, max_queue=1)
    fast = await browse(gateway)
    await slow.watch("b")
    await fast.watch("b")
    for _ in range(200):
        server.append("b", *["x" * 20 * KIB] * 4)
        await fast.events(4)
    # 16 MB were written. A batch, the transport's own 64 KiB and a frame's head are all that may wait.
    assert 0 < gateway.endpoint.unsent_bytes < 200 * KIB
    assert sum(feed.ring.size for feed in gateway.hub._feeds.values()) <= 512 * KIB


@pytest.mark.integration
async def test_c_8_answers_of_calls_that_nobody_takes_are_bounded_too(server, start_gateway, browse, eventually):
    gateway = start_gateway(max_pending_bytes=2 * KIB * KIB, send_buffer_bytes=16 * KIB, goodbye_seconds=20)
    slow = await browse(gateway, receive_buffer=8 * KIB, max_queue=1)
    request = runner_service_pb2.GetBuildFileRequest(path="a mebibyte").SerializeToString()
    for call_id in range(1, 9):
        await slow.call("cofounder.runner.v1.RunnerService/GetBuildFile", request, call_id=call_id)
    await eventually(lambda: gateway.endpoint.leaving == len(gateway.endpoint))
    assert (await slow.closed())[0] == 4008


class Wire:
    """A transport that takes a frame only when told to, and may let go of a few bytes meanwhile."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.unsent = 100
        self.room = asyncio.Event()

    async def write(self, frame):
        await self.room.wait()
        self.written.append(frame)


def make(wire, **changes):
    options = {"write_deadline": 0.1, "max_pending_bytes": 100, **changes}
    return outbox.Outbox(wire.write, lambda: wire.unsent, **options)


async def test_a_thin_line_is_waited_for_as_long_as_it_moves():
    wire = Wire()
    out = make(wire)
    sending = asyncio.create_task(out.send("frame"))
    for _ in range(5):
        # Longer than the deadline in sum, and a little gets away each time.
        wire.unsent -= 10
        done, _ = await asyncio.wait([sending], timeout=0.08)
        assert not done
    wire.room.set()
    await sending
    assert wire.written == ["frame"]


async def test_a_line_that_does_not_move_is_too_slow():
    wire = Wire()
    with pytest.raises(outbox.TooSlow):
        await make(wire).send("frame")
    assert wire.written == []


async def test_frames_that_wait_are_counted_and_a_made_one_is_made_when_its_turn_comes():
    wire = Wire()
    out = make(wire, write_deadline=60)
    first = asyncio.create_task(out.send("a" * 60))
    news = ["old"]
    made = asyncio.create_task(out.send_made(lambda: news[0]))
    await asyncio.sleep(0)
    with pytest.raises(outbox.TooSlow):
        await out.send("b" * 60)
    news[0] = "new"
    wire.room.set()
    await asyncio.gather(first, made)
    assert wire.written == ["a" * 60, "new"]
