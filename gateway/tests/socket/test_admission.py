"""D-3: a watcher is admitted under its own token, again and again, and is gone soon after it is not."""

import asyncio

import pytest
from google.rpc import code_pb2

from cofounder.gateway.v1 import frame_pb2

pytestmark = pytest.mark.integration


async def test_d_4_a_watch_that_is_not_allowed_ends_with_the_servers_own_status(server, gateway, browse, refusal):
    server.denied["b"] = refusal(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id="b")
    browser = await browse(gateway)
    await browser.watch("b")
    assert (await browser.next("ended")).ended.status == server.denied["b"]
    assert server.follows == []


async def test_c_3_a_cursor_in_the_future_ends_the_watch_with_the_last_sequence(server, gateway, browse):
    server.append("b", "a")
    browser = await browse(gateway)
    await browser.watch("b", after=9)
    status = (await browser.next("ended")).ended.status
    assert status.code == code_pb2.OUT_OF_RANGE
    assert b"SEQUENCE_IN_FUTURE" in status.details[0].value


async def test_d_3_a_watch_ends_soon_after_its_leave_is_taken_back_and_others_go_on(
    server, start_gateway, browse, refusal
):
    browser = await browse(start_gateway(reauthorize_seconds=0.2))
    await browser.watch("b", watch_id=1)
    await browser.watch("c", watch_id=2)
    await browser.next("batch")
    server.denied["b"] = refusal(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id="b")
    ended = (await browser.next("ended")).ended
    assert (ended.watch_id, ended.status) == (1, server.denied["b"])
    server.append("c", "a")
    assert len(await browser.events(1, watch_id=2)) == 1


async def test_d_3_the_servers_own_time_counts_where_it_is_shorter(server, gateway, browse, eventually):
    server.admission_seconds = 0.2
    browser = await browse(gateway)
    await browser.watch("b")
    # Never sooner than a second apart, whatever the clocks say.
    await eventually(lambda: server.admissions >= 2)


async def test_example_111_a_logout_closes_the_socket_for_good(server, start_gateway, browse):
    browser = await browse(start_gateway(reauthorize_seconds=0.2))
    await browser.watch("b")
    await browser.next("batch")
    server.revoked.add("user:me")
    code, before = await browser.closed()
    kinds = [frame.WhichOneof("kind") for frame in before if frame.WhichOneof("kind") != "batch"]
    assert (code, kinds) == (4503, ["ended", "leave"])
    assert before[-1].leave.action == frame_pb2.Leave.ACTION_STOP


async def test_example_111_a_token_that_ends_closes_the_socket_with_4401_to_come_back_with_another(
    server, gateway, browse
):
    server.token_seconds = 0.3
    browser = await browse(gateway)
    code, before = await browser.closed()
    assert (code, before[-1].leave.action) == (4401, frame_pb2.Leave.ACTION_RESUME)
    assert "reauth" in before[-1].leave.reason


async def test_example_111_a_renewed_token_carries_the_socket_on(server, gateway, browse):
    server.token_seconds = 0.5
    browser = await browse(gateway)
    server.token_seconds = 3600
    await browser.send(renew=frame_pb2.Renew(token="user:me/2"))
    first = (await browser.next("ready")).ready
    await browser.watch("b")
    # Until the first token has ended: what is shown is that nothing happens then.
    await asyncio.sleep(0.6)
    server.append("b", "a")
    assert len(await browser.events(1)) == 1
    assert first.user_id == "me"


async def test_a_renewal_by_somebody_else_is_closed_with_4503(server, gateway, browse):
    browser = await browse(gateway)
    await browser.send(renew=frame_pb2.Renew(token="user:other"))
    assert (await browser.closed())[0] == 4503


async def test_a_renewal_that_nobody_can_check_just_now_leaves_the_former_token(
    server, gateway, browse, eventually, refusal
):
    browser = await browse(gateway)
    server.session_error = refusal(code_pb2.UNAVAILABLE, "SERVER_DRAINING")
    await browser.send(renew=frame_pb2.Renew(token="user:me/2"))
    await eventually(lambda: server.sessions == 2)
    await browser.watch("b")
    server.append("b", "a")
    assert len(await browser.events(1)) == 1


async def test_example_115_a_suspended_user_is_told_not_to_come_again(server, gateway, browse, refusal):
    server.session_error = refusal(code_pb2.PERMISSION_DENIED, "SUSPENDED")
    browser = await browse(gateway, token=None)
    await browser.send(hello=frame_pb2.Hello(token="user:me"))
    code, before = await browser.closed()
    assert (code, before[-1].leave.action) == (4503, frame_pb2.Leave.ACTION_STOP)


async def test_d_3_while_nobody_can_say_whether_he_may_a_watcher_is_sent_no_event_and_is_not_cut_either(
    server, start_gateway, browse, eventually, refusal
):
    gateway = start_gateway(reauthorize_seconds=0.2, heartbeat_seconds=0.2, authorize_deadline_seconds=0.2)
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.next("batch")
    server.denied["b"] = refusal(code_pb2.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", dependency="postgres")
    asked = server.admissions
    await eventually(lambda: server.admissions >= asked + 4)
    server.append("b", "not for everybody")
    asked = server.admissions
    await eventually(lambda: server.admissions >= asked + 3)
    assert not [event for frame in await browser.at_hand() for event in frame.batch.response.events]
    assert not (await browser.next("batch")).batch.response.events
    del server.denied["b"]
    assert len(await browser.events(1)) == 1


async def test_watchers_of_one_build_are_admitted_each_for_himself(server, gateway, browse, refusal):
    one, other = await browse(gateway), await browse(gateway, token="user:other")
    await one.watch("b")
    await one.next("batch")
    server.denied["b"] = refusal(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id="b")
    await other.watch("b")
    assert (await other.next("ended")).ended.status.code == code_pb2.NOT_FOUND
    server.append("b", "a")
    assert len(await one.events(1)) == 1
