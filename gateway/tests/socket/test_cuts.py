"""Ordered, Unique, Reliable, Resumable, Terminated: whatever is cut, lost or restarted, and whenever."""

import asyncio
import random

import pytest
from google.rpc import code_pb2

from cofounder.runner.v1 import runner_service_pb2
from cofounder_gateway import frames

pytestmark = pytest.mark.integration


def sequences(events):
    return [event.sequence for event in events]


@pytest.mark.parametrize("seed", range(6))
async def test_all_promises_hold_across_random_cuts_of_everything(server, start_gateway, browse, seed):
    chance = random.Random(seed)
    gateway = start_gateway(ring_bytes=chance.choice([100, 2_000, 500_000]), max_batch_bytes=chance.choice([300, 5000]))
    total = 300
    written = asyncio.Event()

    async def write():
        while len(server.log("b").events) < total:
            count = min(chance.randint(1, 8), total - len(server.log("b").events))
            texts = [chance.choice("xyz") * chance.randint(0, 200) for _ in range(count)]
            server.lose_relayed = chance.random() < 0.2
            server.append("b", *texts, over=len(server.log("b").events) + count == total)
            if chance.random() < 0.05:
                server.break_relays()
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        # What was relayed last may have been lost, with nothing after it to tell: as the server's poll would.
        server.lose_relayed = False
        written.set()
        server._relay(server._stretch("b", total, total))

    async def watch(codec):
        cursor, seen, status = 0, [], None
        while status is None:
            browser = await browse(gateway, codec=codec)
            patience = chance.randint(1, 40)
            await browser.watch("b", after=cursor, min_interval_ms=chance.choice([0, 0, 3]))
            while status is None and (patience > 0 or written.is_set()):
                patience -= 1
                frame = await browser.receive()
                assert frame.WhichOneof("kind") in ("batch", "ended", "heartbeat"), frame
                if frame.HasField("ended"):
                    status = frame.ended.status
                elif frame.HasField("batch"):
                    response: runner_service_pb2.WatchBuildResponse = frame.batch.response
                    seen += sequences(response.events)
                    assert response.through_sequence == (seen[-1] if seen else 0)
                    cursor = response.through_sequence
            raw.setdefault(codec, []).extend(browser.raw_events())
            browser.connection.transport.abort()
        assert status.code == code_pb2.OK
        assert seen == list(range(1, total + 1))

    raw: dict[str, list[bytes]] = {}
    codecs = [frames.PROTO_SUBPROTOCOL, frames.JSON_SUBPROTOCOL, frames.JSON_SUBPROTOCOL]
    await asyncio.gather(write(), *(watch(codec) for codec in codecs))
    assert raw[frames.PROTO_SUBPROTOCOL] == server.log("b").events
