"""The edge to the server: whatever the library of gRPC raises comes out as one kind of refusal."""

import pytest
from google.rpc import code_pb2

from cofounder.gateway.v1 import relay_service_pb2
from cofounder_gateway import methods, upstream

pytestmark = pytest.mark.integration


@pytest.fixture
async def link(server, config):
    made = upstream.Upstream(config(), methods.allowed())
    yield made
    await made.close()


async def drained(stream):
    """Reads a stream to its end and returns what it ended with."""
    with pytest.raises(upstream.Refused) as caught:
        [_ async for _ in stream]
    return caught.value


async def test_a_stream_that_has_ended_refuses_to_be_written_to(server, link, eventually):
    request = relay_service_pb2.RelayBuildsRequest(follow_build_ids=["b"])
    stream = link.relay()
    await stream.follow(request)
    await eventually(lambda: server.follows == ["b"])
    server.break_relays()
    assert (await drained(stream)).unreached
    # The relay's writer may be at it just then: anything but a refusal would end the relay for good.
    with pytest.raises(upstream.Refused):
        await stream.follow(request)


async def test_a_stream_that_is_cancelled_ends_its_reader_with_a_refusal_and_not_with_a_cancellation(
    server, link, eventually
):
    stream = link.relay()
    await stream.follow(relay_service_pb2.RelayBuildsRequest(follow_build_ids=["b"]))
    await eventually(lambda: server.follows == ["b"])
    stream.cancel()
    assert (await drained(stream)).unreached


async def test_d_12_what_the_transport_says_is_for_our_logs_only(server, link, eventually):
    stream = link.relay()
    await stream.follow(relay_service_pb2.RelayBuildsRequest(follow_build_ids=["b"]))
    await eventually(lambda: server.follows == ["b"])
    server.break_relays()
    refused = await drained(stream)
    assert "10.1.2.3" in str(refused)
    assert "10.1.2.3" not in refused.status.message


async def test_a_read_that_is_refused_is_told_from_one_that_met_nobody(server, link, refusal):
    server.read_error = refusal(code_pb2.OUT_OF_RANGE, "EVENTS_COMPACTED", oldestSequence="2")
    with pytest.raises(upstream.Refused) as caught:
        await link.read_log("b", after=0, max_bytes=100)
    assert (caught.value.status, caught.value.unreached) == (server.read_error, False)
    await server.stop()
    with pytest.raises(upstream.Refused) as caught:
        await link.read_log("b", after=0, max_bytes=100)
    assert caught.value.unreached
