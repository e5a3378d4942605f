"""The promises of a watch, each over real sockets: browser, gateway, gRPC."""

import asyncio

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_event_pb2
from cofounder_gateway import frames

pytestmark = pytest.mark.integration


def sequences(events):
    return [event.sequence for event in events]


async def test_ordered_unique_reliable_a_watch_from_zero_sees_history_then_what_happens(server, gateway, browse):
    server.append("b", *"abc")
    browser = await browse(gateway)
    await browser.watch("b")
    assert sequences(await browser.events(3)) == [1, 2, 3]
    for number in range(50):
        server.append("b", f"text {number}")
    assert sequences(await browser.events(50)) == list(range(4, 54))


async def test_resumable_a_watch_after_a_cursor_sees_only_what_follows(server, gateway, browse):
    server.append("b", *"abcdef")
    browser = await browse(gateway)
    await browser.watch("b", after=4)
    assert sequences(await browser.events(2)) == [5, 6]


async def test_c_2_a_late_join_gets_what_an_early_one_got(server, gateway, browse):
    early = await browse(gateway)
    await early.watch("b")
    for number in range(30):
        server.append("b", f"text {number}")
    await early.events(30)
    late = await browse(gateway)
    await late.watch("b")
    await late.events(30)
    assert late.raw_events() == early.raw_events() == server.log("b").events


async def test_terminated_a_watch_ends_with_ok_after_the_terminal_event(server, gateway, browse):
    browser = await browse(gateway)
    await browser.watch("b")
    server.append("b", "a")
    await browser.events(1)
    server.append("b", "the end", over=True)
    events, status = await browser.to_the_end()
    assert (sequences(events), status.code) == ([2], code_pb2.OK)


@pytest.mark.parametrize("after", [0, 2, 3])
async def test_c_5_a_watch_of_a_build_that_is_over_gets_the_rest_and_ends_at_once(server, gateway, browse, after):
    server.append("b", *"abc", over=True)
    browser = await browse(gateway)
    await browser.watch("b", after=after)
    events, status = await browser.to_the_end()
    assert (sequences(events), status.code) == ([1, 2, 3][after:], code_pb2.OK)


async def test_the_same_watch_id_may_be_used_again_after_its_end(server, gateway, browse):
    server.append("b", *"abc", over=True)
    browser = await browse(gateway)
    for _ in range(3):
        await browser.watch("b")
        assert len((await browser.to_the_end())[0]) == 3


async def test_bookmarkable_a_quiet_watch_is_told_its_cursor_at_once_and_again_and_again(server, start_gateway, browse):
    server.append("b", *"abc")
    browser = await browse(start_gateway(heartbeat_seconds=0.1))
    await browser.watch("b", after=3)
    for _ in range(3):
        batch = (await browser.next("batch")).batch
        assert (batch.response.through_sequence, len(batch.response.events)) == (3, 0)


async def test_c_7_a_socket_with_no_watch_is_sent_heartbeats_as_data(start_gateway, browse):
    browser = await browse(start_gateway(heartbeat_seconds=0.1))
    beats = [(await browser.next("heartbeat")).heartbeat.send_time.ToMilliseconds() for _ in range(3)]
    assert beats == sorted(beats)


async def test_c_13_many_watchers_of_a_build_cost_one_follow_and_one_read(server, gateway, browse):
    server.append("b", *"abc")
    browsers = [await browse(gateway) for _ in range(5)]
    server.hold_answers.clear()
    for browser in browsers:
        for watch_id in range(1, 5):
            await browser.watch("b", watch_id=watch_id)
    for browser in browsers:
        seen = {watch_id: [] for watch_id in range(1, 5)}
        while any(len(events) < 3 for events in seen.values()):
            batch = (await browser.receive()).batch
            seen[batch.watch_id] += sequences(batch.response.events)
        assert all(events == [1, 2, 3] for events in seen.values())
    assert server.follows == ["b"]
    assert server.relays == 1
    assert server.admissions == 20


async def test_c_13_who_joins_later_reads_what_others_have_read_before(server, start_gateway, browse, eventually):
    server.append("b", *["x" * 1000] * 20)
    gateway = start_gateway(max_batch_bytes=4000)
    first = await browse(gateway)
    await first.watch("b")
    await first.events(20)
    await eventually(lambda: gateway.hub._feeds["b"].ring.base is not None)
    reads = len(server.reads)
    assert 5 <= reads <= 7
    for _ in range(5):
        later = await browse(gateway)
        await later.watch("b")
        assert sequences(await later.events(20)) == list(range(1, 21))
    assert len(server.reads) <= reads + 1
    server.append("b", "the end", over=True)
    assert (await later.to_the_end())[1].code == code_pb2.OK


async def test_concurrent_reads_of_one_stretch_of_history_are_one(server, gateway):
    server.append("b", *"abc")
    stretches = await asyncio.gather(*(gateway.hub.read_log("b", 0) for _ in range(20)))
    assert server.reads == [("b", 0)]
    assert {stretch.last for stretch in stretches} == {3}


async def test_a_reader_who_goes_does_not_take_the_shared_read_along(server, gateway):
    server.append("b", *"abc")
    first = asyncio.create_task(gateway.hub.read_log("b", 0))
    second = asyncio.create_task(gateway.hub.read_log("b", 0))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).last == 3
    assert server.reads == [("b", 0)]


async def test_the_last_watcher_lets_the_build_go_and_the_next_has_it_followed_again(
    server, gateway, browse, eventually
):
    browser = await browse(gateway)
    await browser.watch("b")
    await eventually(lambda: server.follows == ["b"])
    await browser.send(unwatch=frame_pb2.Unwatch(watch_id=1))
    assert (await browser.next("ended")).ended.status.code == code_pb2.CANCELLED
    await eventually(lambda: server.unfollows == ["b"])
    server.append("b", "missed")
    await browser.watch("b")
    assert sequences(await browser.events(1)) == [1]
    assert server.follows == ["b", "b"]


async def test_a_watcher_who_comes_back_within_the_linger_finds_the_build_followed(server, start_gateway, browse):
    gateway = start_gateway(linger_seconds=60)
    for _ in range(3):
        browser = await browse(gateway)
        await browser.watch("b")
        await browser.next("batch")
        await browser.connection.close()
    assert server.follows == ["b"]


async def test_a_wake_up_that_was_lost_costs_a_read_and_never_an_event(server, gateway, browse):
    server.append("b", *"ab")
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.events(2)
    server.lose_relayed = True
    server.append("b", *"cdefgh")
    server.lose_relayed = False
    server.append("b", "i")
    assert sequences(await browser.events(7)) == [3, 4, 5, 6, 7, 8, 9]
    assert ("b", 2) in server.reads


async def test_a_stretch_that_names_its_end_but_holds_nothing_is_read_from_the_log(server, gateway, browse):
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.next("batch")
    server.lose_relayed = True
    server.append("b", *"abc")
    server._relay(server._stretch("b", 3, 3))
    assert sequences(await browser.events(3)) == [1, 2, 3]


async def test_stretches_that_overlap_are_shown_once(server, gateway, browse, eventually):
    browser = await browse(gateway)
    await browser.watch("b")
    await eventually(lambda: server.follows)
    server.append("b", *"abc")
    server._relay(server._stretch("b", 0, 2))
    server.lose_relayed = True
    server.append("b", *"de")
    server._relay(server._stretch("b", 1, 5))
    assert sequences(await browser.events(5)) == [1, 2, 3, 4, 5]
    assert server.reads == []


async def test_what_the_ring_let_go_is_read_from_the_log(server, start_gateway, browse):
    browser = await browse(start_gateway(ring_bytes=200))
    await browser.watch("b", min_interval_ms=50)
    await browser.next("batch")
    for number in range(100):
        server.append("b", f"a text of some length {number}")
    assert sequences(await browser.events(100)) == list(range(1, 101))
    assert server.reads


async def test_what_piles_up_goes_as_one_frame_where_the_browser_asked_for_a_pace(server, gateway, browse):
    browser = await browse(gateway)
    await browser.watch("b", min_interval_ms=500)
    await browser.next("batch")
    for number in range(40):
        server.append("b", f"text {number}")
    batch = (await browser.next("batch")).batch
    assert sequences(batch.response.events) == list(range(1, 41))


async def test_c_9_a_batch_is_cut_at_whole_events_near_the_cap(server, start_gateway, browse):
    for _ in range(20):
        server.append("b", "x" * 1000)
    browser = await browse(start_gateway(max_batch_bytes=3000))
    await browser.watch("b")
    found = []
    while len(found) < 20:
        found += sequences((await browser.next("batch")).batch.response.events)
    assert found == list(range(1, 21))
    assert max(map(len, browser.received)) < 3200


async def test_example_95_an_event_above_the_cap_still_passes_alone(server, start_gateway, browse):
    server.append("b", "small", "x" * 100_000, "small")
    browser = await browse(start_gateway(max_batch_bytes=3000))
    await browser.watch("b")
    assert sequences(await browser.events(3)) == [1, 2, 3]
    server.append("b", "y" * 100_000)
    assert sequences(await browser.events(1)) == [4]


async def test_event_bytes_on_the_socket_are_those_of_the_log(server, gateway, browse):
    server.append("b", *"abc")
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.events(3)
    server.append("b", "d", "e")
    await browser.events(2)
    assert browser.raw_events() == server.log("b").events


async def test_json_events_are_those_of_the_log_re_encoded(server, gateway, browse):
    server.append("b", "a", 'quotes " and \u2028 and \U0001f469\u200d\U0001f680', "c")
    browser = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    await browser.watch("b")
    found = await browser.events(3)
    server.append("b", "d")
    found += await browser.events(1)
    expected = [build_event_pb2.BuildEvent.FromString(event) for event in server.log("b").events]
    for event in expected:
        event.DiscardUnknownFields()
    assert found == expected
    batch = next(text for text in browser.received if '"events"' in text)
    canonical = json_format.MessageToDict(json_format.Parse(batch, frame_pb2.ServerFrame()))
    assert canonical["batch"]["response"]["throughSequence"] == "3"


async def test_what_is_true_of_now_rides_along_and_moves_no_cursor(server, gateway, browse, eventually):
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.next("batch")
    await eventually(lambda: server.follows)
    server.show("b", 7)
    response = (await browser.next("batch")).batch.response
    assert (response.view.watchers, response.through_sequence) == (7, 0)
    late = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    await late.watch("b")
    assert (await late.next("batch")).batch.response.view.watchers == 7


async def test_one_socket_carries_watches_of_many_builds_each_in_its_own_order(server, gateway, browse):
    browser = await browse(gateway)
    for watch_id in range(1, 11):
        await browser.watch(f"build {watch_id}", watch_id=watch_id)
    for number in range(10):
        for watch_id in range(1, 11):
            server.append(f"build {watch_id}", f"text {number}")
    seen = {watch_id: [] for watch_id in range(1, 11)}
    while sum(map(len, seen.values())) < 100:
        batch = (await browser.next("batch")).batch
        seen[batch.watch_id] += sequences(batch.response.events)
    assert all(events == list(range(1, 11)) for events in seen.values())


async def test_an_upstream_that_is_killed_and_comes_back_is_never_noticed(server, gateway, browse, eventually):
    server.append("b", *"abc")
    browser = await browse(gateway)
    await browser.watch("b")
    await browser.events(3)
    await server.stop()
    server.append("b", "missed while down")
    await eventually(lambda: gateway.hub.relay.trouble is not None)
    await server.start()
    assert sequences(await browser.events(1)) == [4]
    await eventually(lambda: len(server.follows) == 2)
    server.append("b", "after", over=True)
    events, status = await browser.to_the_end()
    assert (sequences(events), status.code) == ([5], code_pb2.OK)
    assert (server.relays, server.follows) == (2, ["b", "b"])


async def test_a_watch_asked_for_while_the_server_is_away_begins_when_it_is_back(server, gateway, browse):
    server.append("b", *"abc")
    browser = await browse(gateway)
    await server.stop()
    await browser.watch("b")
    await server.start()
    assert sequences(await browser.events(3)) == [1, 2, 3]


async def test_a_read_that_fails_for_a_while_is_asked_again(server, gateway, browse, eventually, refusal):
    server.append("b", *"abc")
    server.read_error = refusal(code_pb2.UNAVAILABLE, "SERVER_DRAINING")
    browser = await browse(gateway)
    await browser.watch("b")
    await eventually(lambda: len(server.reads) >= 3)
    server.read_error = None
    assert sequences(await browser.events(3)) == [1, 2, 3]


async def test_c_2_a_log_that_no_longer_reaches_the_cursor_ends_the_watch_with_the_reason(
    server, gateway, browse, refusal
):
    server.append("b", *"abc")
    server.read_error = refusal(code_pb2.OUT_OF_RANGE, "EVENTS_COMPACTED", oldestSequence="2")
    browser = await browse(gateway)
    await browser.watch("b")
    assert (await browser.next("ended")).ended.status == server.read_error


async def test_a_server_that_keeps_failing_ends_the_watch_and_is_no_endless_wait(server, gateway, browse, refusal):
    server.append("b", *"abc")
    server.read_error = refusal(code_pb2.INTERNAL, "INTERNAL", debugId="x")
    browser = await browse(gateway)
    await browser.watch("b")
    assert (await browser.next("ended")).ended.status == server.read_error


async def test_a_build_that_can_be_followed_no_more_ends_its_watches(server, gateway, browse, eventually, refusal):
    browser = await browse(gateway)
    await browser.watch("b")
    await eventually(lambda: server.follows == ["b"])
    gone = refusal(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id="b")
    server.refuse("b", gone)
    assert (await browser.next("ended")).ended.status == gone


async def test_a_build_that_cannot_be_followed_just_now_is_followed_again(server, gateway, browse, eventually, refusal):
    browser = await browse(gateway)
    await browser.watch("b")
    await eventually(lambda: server.follows == ["b"])
    server.refuse("b", refusal(code_pb2.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", dependency="postgres"))
    await eventually(lambda: server.follows == ["b", "b"])
    server.append("b", "a")
    assert sequences(await browser.events(1)) == [1]
