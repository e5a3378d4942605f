"""Who may open a socket, what the first frames must be, and which close code says what to do next."""

import asyncio
import contextlib
import random

import pytest
import websockets.exceptions
from google.rpc import code_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder_gateway import frames

pytestmark = pytest.mark.integration
STOP = frame_pb2.Leave.ACTION_STOP
RESUME = frame_pb2.Leave.ACTION_RESUME


async def refused(browse, gateway, **options):
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        await browse(gateway, **options)
    return caught.value.response


async def cut(reader):
    """Returns True when the other side has cut the connection."""
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 30)
    return True


def said(closed):
    """Returns the close code and the leave that came before it."""
    code, before = closed
    return code, before[-1].leave.action


async def test_d_1_the_first_frame_is_a_hello_and_its_answer_says_who_and_until_when(server, gateway, browse):
    browser = await browse(gateway, token=None)
    ready = await browser.hello("user:ada")
    assert ready.user_id == "ada"
    assert ready.token_expire_time.ToSeconds() > 0
    assert ready.heartbeat_interval.ToSeconds() == 15


async def test_frames_that_follow_a_hello_at_once_wait_until_it_is_accepted(server, gateway, browse):
    server.append("b", "a")
    browser = await browse(gateway, token=None)
    await browser.send(hello=frame_pb2.Hello(token="user:me"))
    await browser.watch("b")
    assert (await browser.receive()).WhichOneof("kind") == "ready"
    assert len(await browser.events(1)) == 1


async def test_d_1_a_socket_that_says_no_hello_in_time_is_closed_with_4501(start_gateway, browse):
    browser = await browse(start_gateway(hello_deadline_seconds=0.1), token=None)
    assert said(await browser.closed()) == (4501, STOP)


async def test_d_6_of_many_sockets_that_say_no_hello_the_oldest_goes_and_a_genuine_one_comes_in(start_gateway, browse):
    gateway = start_gateway(max_unauthenticated=3, hello_deadline_seconds=600)
    genuine = await browse(gateway)
    silent = [await browse(gateway, token=None) for _ in range(4)]
    assert said(await silent[0].closed()) == (4501, STOP)
    assert (await browse(gateway)).connection.close_code is None
    assert genuine.connection.close_code is None


async def test_d_6_a_connection_that_never_sends_a_whole_request_is_cut(start_gateway):
    gateway = start_gateway(hello_deadline_seconds=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /api/socket HTTP/1.1\r\nHost: x\r\n")
    assert await cut(reader)
    writer.close()


async def test_d_6_nor_is_a_second_request_on_the_same_connection_waited_for(start_gateway):
    gateway = start_gateway(hello_deadline_seconds=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.write(b"GET /api/hea")
    assert await cut(reader)
    writer.close()


async def test_an_open_socket_outlives_the_deadline_of_its_handshake(server, start_gateway, browse):
    browser = await browse(start_gateway(hello_deadline_seconds=0.1, heartbeat_seconds=0.1))
    for _ in range(5):
        await browser.next("heartbeat")
    assert browser.connection.close_code is None


@pytest.mark.parametrize("token", ["nobody", "user:me\nx-user: other", "user:é", "user:" + "x" * 9000, ""])
async def test_a_hello_whose_token_does_not_hold_is_closed_with_4501(gateway, browse, token):
    browser = await browse(gateway, token=None)
    await browser.send(hello=frame_pb2.Hello(token=token))
    assert said(await browser.closed()) == (4501, STOP)


async def test_a_second_hello_is_closed_with_4501(gateway, browse):
    browser = await browse(gateway)
    await browser.send(hello=frame_pb2.Hello(token="user:me"))
    assert said(await browser.closed()) == (4501, STOP)


async def test_anything_before_the_hello_is_closed_with_4501(gateway, browse):
    browser = await browse(gateway, token=None)
    await browser.watch("b")
    assert said(await browser.closed()) == (4501, STOP)


async def test_a_hello_that_the_server_is_not_there_to_answer_is_told_to_come_again(server, start_gateway, browse):
    gateway = start_gateway(authorize_deadline_seconds=0.2)
    await server.stop()
    browser = await browse(gateway, token=None)
    await browser.send(hello=frame_pb2.Hello(token="user:me"))
    assert said(await browser.closed()) == (4400, RESUME)


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (frames.PROTO_SUBPROTOCOL, b"\xff\xff\xff"),
        (frames.PROTO_SUBPROTOCOL, b""),
        (frames.PROTO_SUBPROTOCOL, "{}"),
        (frames.JSON_SUBPROTOCOL, "{"),
        (frames.JSON_SUBPROTOCOL, "{}"),
        (frames.JSON_SUBPROTOCOL, b"\x0a\x00"),
        (frames.JSON_SUBPROTOCOL, "[" * 30_000),
        (frames.JSON_SUBPROTOCOL, '{"hello": {}, "hello": {}}'),
        (frames.JSON_SUBPROTOCOL, '{"%s": {}}' % ("n" * 40)),
        (frames.JSON_SUBPROTOCOL, '{"%s": {}}' % ("\N{PILE OF POO}" * 1000)),
        (frames.JSON_SUBPROTOCOL, '{"watch": {"watchId": "one", "request": {"buildId": 5}}}'),
        (frames.JSON_SUBPROTOCOL, '{"watch": {"watchId": 0, "request": {"buildId": 5}}}'),
        (frames.JSON_SUBPROTOCOL, '{"watch": {"watchId": 0}}'),
        (frames.JSON_SUBPROTOCOL, '{"watch": {"watchId": -1}}'),
        (frames.JSON_SUBPROTOCOL, '{"call": {"callId": 0}}'),
    ],
)
async def test_a_frame_that_is_none_is_closed_with_4504(gateway, browse, codec, data):
    browser = await browse(gateway, codec=codec)
    await browser.connection.send(data)
    assert said(await browser.closed()) == (4504, STOP)


@pytest.mark.parametrize(
    "cursor", ['"abc"', '""', '" 5"', '"5.0"', "5.0", '"1e3"', "1e3", str(2**63), f'"{2**64}"', "null", "true", "[1]"]
)
async def test_example_75_a_cursor_that_is_none_ends_its_watch_by_name_and_nothing_else(
    server, gateway, browse, cursor
):
    server.append("b", "a")
    browser = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    request = f'{{"buildId": "b", "afterSequence": {cursor}}}'
    await browser.connection.send(f'{{"watch": {{"watchId": 1, "request": {request}}}}}')
    ended = (await browser.next("ended")).ended
    assert (ended.watch_id, ended.status.code) == (1, code_pb2.INVALID_ARGUMENT)
    assert ended.status.message.startswith("after_sequence: ")
    await browser.watch("b", watch_id=1)
    assert len(await browser.events(1)) == 1


async def test_a_watch_that_cannot_be_read_is_no_way_around_a_hello_or_an_id_in_use(server, gateway, browse):
    unreadable = '{"watch": {"watchId": 1, "request": {"buildId": 5}}}'
    early = await browse(gateway, codec=frames.JSON_SUBPROTOCOL, token=None)
    await early.connection.send(unreadable)
    assert said(await early.closed()) == (4501, STOP)
    browser = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    await browser.watch("b")
    await browser.connection.send(unreadable)
    assert said(await browser.closed()) == (4504, STOP)


async def test_a_watch_id_in_use_is_closed_with_4504(gateway, browse):
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.watch("c")
    assert said(await browser.closed()) == (4504, STOP)


async def test_an_unwatch_or_hangup_of_what_is_not_there_changes_nothing(server, gateway, browse):
    server.append("b", "a")
    browser = await browse(gateway)
    await browser.send(unwatch=frame_pb2.Unwatch(watch_id=7))
    await browser.send(hangup=frame_pb2.Hangup(call_id=7))
    await browser.watch("b")
    assert len(await browser.events(1)) == 1


async def test_a_watch_that_is_stopped_in_the_same_breath_still_ends_once(server, gateway, browse):
    browser = await browse(gateway)
    for watch_id in range(1, 20):
        await browser.watch("b", watch_id=watch_id)
        await browser.send(unwatch=frame_pb2.Unwatch(watch_id=watch_id))
    ended = [(await browser.next("ended")).ended for _ in range(1, 20)]
    assert sorted(one.watch_id for one in ended) == list(range(1, 20))
    assert {one.status.code for one in ended} == {code_pb2.CANCELLED}


async def test_c_9_a_frame_above_64_kib_is_closed_with_1009(gateway, browse):
    browser = await browse(gateway)
    await browser.call("x", b"x" * 64 * 1024)
    assert (await browser.closed())[0] == 1009


async def test_c_9_compression_is_not_offered(gateway, browse):
    browser = await browse(gateway, compression="deflate")
    assert "sec-websocket-extensions" not in browser.connection.response.headers


async def test_d_6_a_watch_too_many_is_refused_with_the_limit_and_the_socket_lives(server, start_gateway, browse):
    server.append("b", "a")
    browser = await browse(start_gateway(max_watches=2))
    for watch_id in (1, 2, 3):
        await browser.watch("b", watch_id=watch_id)
    ended = (await browser.next("ended")).ended
    assert (ended.watch_id, ended.status.code) == (3, code_pb2.RESOURCE_EXHAUSTED)
    assert len(ended.status.details) == 2
    await browser.send(unwatch=frame_pb2.Unwatch(watch_id=1))
    await browser.next("ended")
    await browser.watch("b", watch_id=4)
    assert len(await browser.events(1, watch_id=4)) == 1


async def test_an_interval_out_of_range_names_the_field(gateway, browse):
    browser = await browse(gateway)
    await browser.watch("b", min_interval_ms=1001)
    status = (await browser.next("ended")).ended.status
    assert status.code == code_pb2.INVALID_ARGUMENT
    assert b"min_interval_ms" in status.details[1].value


async def test_d_6_frames_beyond_the_rate_are_slowed_and_none_is_lost(server, start_gateway, browse):
    browser = await browse(start_gateway(frames_per_second=100, frames_burst=5))
    for watch_id in range(1, 31):
        await browser.watch("b", watch_id=watch_id)
        await browser.send(unwatch=frame_pb2.Unwatch(watch_id=watch_id))
    began = asyncio.get_running_loop().time()
    for _ in range(30):
        await browser.next("ended")
    assert asyncio.get_running_loop().time() - began > 0.3


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1:8080.evil"])
async def test_d_1_a_page_of_another_origin_cannot_open_a_socket(gateway, browse, origin):
    assert (await refused(browse, gateway, origin=origin)).status_code == 403


async def test_d_1_a_page_of_this_origin_can_and_a_program_without_one_too(gateway, browse):
    await browse(gateway, origin=f"http://localhost:{gateway.port}")
    await browse(gateway)


async def test_d_1_the_allow_list_is_exact(start_gateway, browse):
    gateway = start_gateway(allowed_origins="https://app.example, https://other.example")
    await browse(gateway, origin="https://other.example")
    for origin in ("https://app.example.evil", "http://app.example", f"http://127.0.0.1:{gateway.port}"):
        assert (await refused(browse, gateway, origin=origin)).status_code == 403


async def test_production_lets_in_no_page_unless_one_is_named(start_gateway, browse):
    gateway = start_gateway(environment="production")
    origin = f"http://127.0.0.1:{gateway.port}"
    assert (await refused(browse, gateway, origin=origin)).status_code == 403


async def test_an_unknown_subprotocol_is_refused_with_those_there_are(gateway, browse):
    response = await refused(browse, gateway, codec="graphql-ws")
    assert response.status_code == 400
    assert frames.JSON_SUBPROTOCOL.encode() in response.body


async def test_d_6_a_socket_too_many_is_refused_with_a_hint_to_come_again(start_gateway, browse):
    gateway = start_gateway(max_sockets=1)
    await browse(gateway)
    response = await refused(browse, gateway)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_c_12_a_gateway_that_stops_tells_every_socket_to_resume_and_closes_with_1012(
    server, start_gateway, browse
):
    gateway = start_gateway(drain_seconds=0.5)
    browsers = [await browse(gateway) for _ in range(5)]
    for browser in browsers:
        await browser.watch("b")
    loop = asyncio.get_running_loop()

    async def leave_of(browser):
        code, before = await browser.closed()
        return code, before[-1].leave, loop.time()

    leaving = [asyncio.create_task(leave_of(browser)) for browser in browsers]
    await asyncio.gather(gateway.stop(), gateway.stop())
    gone = [await one for one in leaving]
    assert {code for code, _, _ in gone} == {1012}
    assert {leave.action for _, leave, _ in gone} == {RESUME}
    assert all(leave.HasField("retry_delay") for _, leave, _ in gone)
    times = sorted(at for _, _, at in gone)
    # Five over half a second: 0, 0.1, 0.2, 0.3, 0.4. Together they would all go within some milliseconds.
    assert times[-1] - times[0] > 0.2


async def test_c_12_a_drain_waits_for_no_reader_that_is_stuck(server, start_gateway, browse, eventually):
    gateway = start_gateway(goodbye_seconds=0.2, send_buffer_bytes=16 * 1024)
    slow = await browse(gateway, receive_buffer=8 * 1024, max_queue=1)
    await slow.watch("b")
    server.append("b", *["x" * 64 * 1024] * 50)
    await eventually(lambda: gateway.endpoint.unsent_bytes > 64 * 1024)
    await gateway.stop()
    assert len(gateway.endpoint) == 0


async def test_c_12_a_drain_is_over_when_the_last_socket_is_gone(start_gateway, browse, eventually):
    gateway = start_gateway()
    gone_before = await browse(gateway)
    await gone_before.connection.close()
    await eventually(lambda: len(gateway.endpoint) == 0)
    await browse(gateway)
    await gateway.endpoint.drain(0.1)
    assert len(gateway.endpoint) == 0


async def test_random_bytes_never_do_more_than_close_their_own_socket(server, gateway, browse):
    chance = random.Random(121)
    server.append("b", "a")
    for _ in range(30):
        browser = await browse(gateway)
        await browser.connection.send(chance.randbytes(chance.randint(1, 200)))
        # Most are no frame; some are one that says nothing new.
        browser.connection.transport.abort()
    other = await browse(gateway)
    await other.watch("b")
    assert len(await other.events(1)) == 1
