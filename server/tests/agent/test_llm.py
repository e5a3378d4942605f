"""Calls of models, by the real SDK over real sockets: every way in which they break, and what is told of it."""

import asyncio
import contextlib
import dataclasses
import logging
import random
from datetime import UTC, datetime

import httpx2
import pytest
import structlog

from cofounder_server import errors
from cofounder_server.agent import faults, llm
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.rehearsal import wire as sse
from cofounder_server.agent.runner import Stop
from cofounder_server.clock import VirtualClock
from cofounder_server.testing import anthropic_wire as fake
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.listener import CALLER, HALF, KEY, OVERLOADED, ask, listen, models
from cofounder_server.testing.meters import OpenMeter
from cofounder_server.usage.prices import Tokens, UnknownModel


async def test_an_answer_comes_piece_by_piece_and_then_whole() -> None:
    async with AnthropicWire(fake.say(["Hel", "lo ", "you"])) as wire:
        heard = await listen(wire)
    assert [piece.text for piece in heard.pieces if isinstance(piece, llm.Text)] == ["Hel", "lo ", "you"]
    assert heard.turn is not None
    assert (heard.turn.text, heard.turn.stop_reason, heard.turn.request_id) == ("Hello you", "end_turn", "req_scripted")
    assert heard.kinds == ["generation_started", "Text", "Turn", "usage_recorded"]
    call = wire.calls[0]
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.body["system"][0]["cache_control"] == {"type": "ephemeral"}


# answer, kind, whether text was shown, how often the provider is called with three attempts
BLOCK_ENDS = sse.event("content_block_stop", index=0)
WHOLE = list(sse.message(["x"], tokens=Tokens(), model=fake.MODEL))
STARTS_AGAIN = sse.start(message_id="again", model=fake.MODEL, tokens=Tokens())
NO_REASON = (BLOCK_ENDS, sse.event("message_stop"))
A_GAP = (BLOCK_ENDS, *sse.text_block(["y"], index=2))
ANOTHER_BLOCK = list(sse.text_block(["y"], index=1))[1:]

FAULTS: list[tuple[str, fake.Answer, str, bool, int]] = [
    ("error event mid-stream", fake.broken(HALF, OVERLOADED), "overloaded", True, 3),
    ("clean end without message_stop", fake.broken(HALF), "truncated", True, 3),
    ("connection dropped", fake.broken(HALF, ends=False), "transient", True, 3),
    ("stall", fake.stalled(HALF), "timeout", True, 3),
    ("pings only", fake.stalled(pings=0.02), "timeout", False, 3),
    ("pings after text", fake.stalled(HALF, pings=0.02), "timeout", True, 3),
    ("no first byte", fake.silent(), "timeout", False, 3),
    ("reset", fake.reset(), "transient", False, 3),
    ("rate limit event", fake.broken(HALF, sse.error("rate_limit_error", "x")), "rate_limited", True, 3),
    ("api error event", fake.broken(HALF, sse.error("api_error", "x")), "transient", True, 3),
    ("unknown error event", fake.broken(HALF, sse.error("quota_hint", "x")), "unknown", True, 2),
    ("error event without JSON", fake.broken(HALF, b"event: error\ndata: oops\n\n"), "unknown", True, 2),
    ("429", fake.status(429, "rate_limit_error"), "rate_limited", False, 3),
    ("529", fake.status(529, "overloaded_error"), "overloaded", False, 3),
    ("500", fake.status(500, "api_error"), "transient", False, 3),
    ("502 with HTML", fake.status(502, body=b"<html>bad gateway</html>"), "transient", False, 3),
    ("504", fake.status(504, "timeout_error"), "timeout", False, 3),
    ("400", fake.status(400, "invalid_request_error"), "invalid_request", False, 1),
    ("401", fake.status(401, "authentication_error"), "auth", False, 1),
    ("402", fake.status(402, "billing_error"), "billing", False, 1),
    ("403", fake.status(403, "permission_error"), "auth", False, 1),
    ("404", fake.status(404, "not_found_error"), "invalid_request", False, 1),
    ("413", fake.status(413, "request_too_large"), "too_large", False, 1),
    ("418", fake.status(418, body=b"teapot"), "unknown", False, 2),
    ("200 with HTML", fake.status(200, body=b"<html>\n\n</html>\n\n"), "transient", False, 3),
    ("200 with nothing", fake.status(200, body=b""), "transient", False, 3),
    ("refusal", fake.say("No.", stop_reason="refusal"), "refused", True, 1),
    ("refusal without text", fake.say([], stop_reason="refusal"), "refused", False, 1),
    ("max_tokens", fake.say("cut", stop_reason="max_tokens"), "truncated", True, 3),
    ("context window", fake.say("x", stop_reason="model_context_window_exceeded"), "too_large", True, 1),
    ("a new stop reason", fake.say("x", stop_reason="quota_hint"), "unknown", True, 2),
    ("a tool that was not offered", fake.say("x", stop_reason="tool_use"), "bad_output", True, 2),
    ("no stop reason", fake.broken(HALF, *NO_REASON), "unknown", True, 2),
    ("data that is no JSON", fake.broken(HALF, b"event: content_block_delta\ndata: {\n\n"), "transient", True, 3),
    ("invalid UTF-8", fake.broken(HALF, b"event: content_block_delta\ndata: \xff\n\n"), "transient", True, 3),
    ("delta before start", fake.events(*sse.text_block(["x"])), "bad_output", False, 2),
    ("two message_start", fake.broken(HALF, STARTS_AGAIN), "bad_output", True, 2),
    ("a gap in the index", fake.broken(HALF, *A_GAP), "bad_output", True, 2),
    ("a delta for another block", fake.broken(HALF, *ANOTHER_BLOCK), "bad_output", True, 2),
    ("content after message_stop", fake.events(*WHOLE, *sse.text_block(["y"], index=1)), "bad_output", True, 2),
    ("two message_stop", fake.events(*WHOLE, sse.event("message_stop")), "bad_output", True, 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind", "shown", "calls"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_every_fault_is_one_of_the_kinds_and_retried_by_its_rule(
    answer: fake.Answer, kind: str, shown: bool, calls: int
) -> None:
    """E-1, E-2, E-4, E-5: the half is void, the wait is told, and in the end one error says what it was."""
    async with AnthropicWire(answer) as wire:
        heard = await listen(wire, first_byte=0.3, silence=0.3)
    assert heard.turn is None
    assert len(wire.calls) == calls
    voided = heard.events("generation_voided")
    assert [event.reason for event in voided] == [kind] * (calls if shown else 0)
    assert [event.reason for event in heard.events("provider_delayed")] == [kind] * (calls - 1)
    started = heard.events("generation_started")
    assert len(started) == len({event.generation_id for event in started}) == calls
    assert [event.replaces_generation_id for event in started[1:]] == [event.generation_id for event in started[:-1]]
    assert [event.generation_id for event in voided] == [event.generation_id for event in started if shown]
    if kind == "rate_limited":
        assert isinstance(heard.error, errors.ProviderRateLimited)
    else:
        assert isinstance(heard.error, errors.ProviderFailed)
        assert heard.error.metadata == {"kind": kind}


async def test_no_text_of_the_providers_errors_reaches_the_user() -> None:
    """D-12, example 175: the body is not shown."""
    async with AnthropicWire(fake.status(400, "invalid_request_error")) as wire:
        heard = await listen(wire)
    assert heard.error is not None
    assert "secret detail" not in f"{heard.error!r} {heard.error.metadata}"


async def test_two_refusals_and_then_an_answer_book_one_usage() -> None:
    """Example 29: 529, 529, 200."""
    overloaded = fake.status(529, "overloaded_error")
    async with AnthropicWire(overloaded, overloaded, fake.say("done")) as wire:
        heard = await listen(wire)
    assert heard.turn is not None
    assert len(heard.events("usage_recorded")) == 1
    assert [event.retry for event in heard.events("provider_delayed")] == [1, 2]
    assert "generation_voided" not in heard.kinds
    assert heard.events("generation_started")[2].generation_id == heard.turn.generation_id


async def test_a_broken_answer_is_void_and_another_takes_its_place() -> None:
    """E-5: what was shown is taken back before the next call begins."""
    async with AnthropicWire(fake.broken(HALF, OVERLOADED), fake.say("whole")) as wire:
        heard = await listen(wire)
    assert heard.kinds == [
        *("generation_started", "Text", "generation_voided", "usage_recorded", "provider_delayed"),
        *("generation_started", "Text", "Turn", "usage_recorded"),
    ]
    assert heard.turn is not None
    assert heard.turn.text == "whole"


RETRY_AFTER = [
    ([("retry-after", "0")], 0.0),
    ([("retry-after", "7")], 7.0),
    ([("retry-after", "2.5")], 2.5),
    ([("retry-after-ms", "1500")], 1.5),
    ([("retry-after", "-1")], None),
    ([("retry-after", "abc")], None),
    ([("retry-after", "nan")], None),
    ([("retry-after", "1e9")], 86_400.0),
    ([("retry-after", "inf")], 86_400.0),
    ([("retry-after", "Thu, 01 Jan 2026 00:00:20 GMT")], 20.0),
    ([("retry-after", "Wed, 31 Dec 2025 00:00:00 GMT")], 0.0),
    ([("retry-after", "1"), ("retry-after", "4")], 4.0),
    ([], None),
]


@pytest.mark.parametrize(("headers", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_as_a_bounded_number_of_seconds(
    headers: list[tuple[str, str]], seconds: float | None
) -> None:
    """Example 155."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert faults.retry_after(httpx2.Headers(headers), now=now) == seconds


async def test_a_wait_that_the_provider_asks_for_is_kept() -> None:
    """E-3: never earlier than asked for."""
    limited = fake.status(429, "rate_limit_error", headers=[("retry-after", "7")])
    clock = VirtualClock()
    begun = clock.now()
    async with AnthropicWire(limited, fake.say("done")) as wire:
        heard = await listen(wire, clock=clock)
    [delayed] = heard.events("provider_delayed")
    waited = delayed.retry_delay.ToMilliseconds() / 1000
    assert 7.0 <= waited <= 8.0
    assert (clock.now() - begun).total_seconds() == pytest.approx(waited, abs=0.001)


async def test_a_wait_beyond_the_cap_ends_the_call_at_once() -> None:
    """E-3: above the cap nobody holds a worker; the error says when to come back."""
    limited = fake.status(429, "rate_limit_error", headers=[("retry-after", "300")])
    async with AnthropicWire(limited) as wire:
        heard = await listen(wire)
    assert len(wire.calls) == 1
    assert isinstance(heard.error, errors.ProviderRateLimited)
    assert heard.error.retry_after == 300.0


def test_the_jitter_is_full_and_grows_up_to_the_cap() -> None:
    """E-3."""
    patience = Patience(attempts=20, backoff=1.0, longest_wait=30.0)
    fault = faults.ProviderFault("overloaded")
    rng = random.Random(1)
    for retry, most in ((1, 1.0), (3, 4.0), (10, 30.0)):
        waits = [patience.wait(fault, retry=retry, rng=rng) or 0.0 for _ in range(300)]
        assert 0.0 <= min(waits) < 0.1 * most
        assert 0.9 * most < max(waits) <= most


async def test_the_key_stands_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """No secret in any log or error; example 141."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        for answer in (fake.status(401, "authentication_error"), fake.reset(), fake.broken(HALF, OVERLOADED)):
            async with AnthropicWire(answer) as wire:
                heard = await listen(wire)
            assert KEY not in f"{heard.error!r} {heard.error.__cause__!r} {heard.error.__context__!r} {heard.pieces}"
    assert [log["fault"] for log in logs][:1] == ["auth"]
    assert KEY not in f"{logs}{caplog.text}"
    assert all(log["build_id"] == CALLER.build_id and log["user_id"] == "u" for log in logs)


async def test_what_nobody_foresaw_is_an_alarm() -> None:
    """E-2: unknown, alarmed."""
    with structlog.testing.capture_logs() as logs:
        async with AnthropicWire(fake.status(418, body=b"teapot")) as wire:
            await listen(wire)
    assert {(log["fault"], log["log_level"]) for log in logs} == {("unknown", "error")}


async def test_a_model_without_a_price_is_refused_before_the_provider_is_called() -> None:
    """A-25."""
    async with AnthropicWire(fake.say("x")) as wire:
        door = models(wire, chosen={"coder": "local-model"})
        with pytest.raises(UnknownModel):
            await anext(aiter(ask(door)))
        await door.aclose()
    assert wire.calls == []


async def test_closing_the_iterator_closes_the_connection() -> None:
    """Also between two pieces, where nothing is being awaited."""
    async with AnthropicWire(fake.stalled(HALF)) as wire:
        door = models(wire)
        pieces = ask(door)
        while not isinstance(await anext(pieces), llm.Text):
            """The call is under way with its first text."""
        assert not wire.calls[0].closed.is_set()
        await pieces.aclose()
        async with asyncio.timeout(20):
            await wire.calls[0].closed.wait()
        await door.aclose()


async def test_cancelling_closes_the_connection() -> None:
    """Cancelling closes the provider's connection."""
    async with AnthropicWire(fake.stalled(HALF)) as wire:
        door = models(wire)
        reading = asyncio.create_task(_read_on(door))
        call = await wire.called(1)
        await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(20):
            await call.closed.wait()
        await door.aclose()


async def _read_on(door: llm.Models) -> None:
    async for _ in ask(door):
        pass


async def test_a_stream_that_drips_for_ever_meets_the_total_limit() -> None:
    """E-4, example 159: the partial usage is booked."""

    async def drip(call: fake.Call, writer: asyncio.StreamWriter) -> None:
        await fake.broken(["x"], ends=False)(call, writer)

    async def forever(call: fake.Call, writer: asyncio.StreamWriter) -> None:
        await drip(call, writer)
        frame = sse.event("content_block_delta", index=0, delta={"type": "text_delta", "text": "drip"})
        while not call.closed.is_set():
            writer.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(call.closed.wait(), 0.02)

    async with AnthropicWire(forever) as wire:
        heard = await listen(wire, attempts=1, silence=5.0, total=0.4)
    assert isinstance(heard.error, errors.ProviderFailed)
    assert heard.error.metadata == {"kind": "timeout"}
    assert heard.events("usage_recorded")[0].output_tokens > 1


async def test_three_levels_decide_which_model_plays_a_role() -> None:
    """The user's own, then the plan's, then the deployment's; each call asks anew (A-28)."""
    meter = OpenMeter()
    async with AnthropicWire(fake.say("x")) as wire:
        door = models(wire, meter=meter, chosen={"coder": "ours"})
        assert await door.resolve(CALLER, "coder") == "ours"
        assert await door.resolve(CALLER, "reviewer") == "claude-opus-5-5"
        meter.plan = dataclasses.replace(meter.plan, default_models={"coder": "the plan's", "default": "all others"})
        assert await door.resolve(CALLER, "coder") == "the plan's"
        assert await door.resolve(CALLER, "reviewer") == "all others"
        meter.override_models = {"coder": "my own"}
        assert await door.resolve(CALLER, "coder") == "my own"
        await door.aclose()


async def test_a_20_each_attempt_is_admitted_asked_and_booked_before_the_next() -> None:
    """Example 29: 529, 529, 200: three attempts in the ledger, one of which costs."""
    meter = OpenMeter()
    async with AnthropicWire(
        fake.status(529, "overloaded_error"), fake.status(529, "overloaded_error"), fake.say("x")
    ) as wire:
        await listen(wire, meter=meter)
    assert [settlement.outcome for _, settlement in meter.booked] == ["overloaded", "overloaded", "answered"]
    assert [settlement.cost_microdollars > 0 for _, settlement in meter.booked] == [False, False, True]
    assert len({ticket.ledger_id for ticket, _ in meter.booked}) == len(meter.asked) == 3


@pytest.mark.parametrize("person", [True, False], ids=["a person", "a drain"])
async def test_e_6_a_call_that_is_cut_is_booked_by_what_was_written_and_who_cut_it_decides_who_pays(
    person: bool,
) -> None:
    meter = OpenMeter()
    caller = dataclasses.replace(CALLER, stop=Stop())
    async with AnthropicWire(fake.stalled(HALF)) as wire:
        door = models(wire, meter=meter)
        pieces = ask(door, caller)
        while not isinstance(await anext(pieces), llm.Text):
            """The call is under way with its first text."""
        caller.stop.asked = person
        await pieces.aclose()
        await door.aclose()
    [(_, settlement)] = meter.booked
    assert (settlement.outcome, settlement.estimated, settlement.platform_borne) == ("cut", True, not person)
    assert settlement.output_tokens > 0


async def test_what_was_set_aside_for_a_call_that_never_left_is_given_back() -> None:
    meter = OpenMeter()
    async with AnthropicWire(fake.say("x")) as wire:
        door = models(wire, meter=meter)
        pieces = ask(door)
        await anext(pieces)  # generation_started: admitted, not yet asked
        await pieces.aclose()
        await door.aclose()
    assert (len(meter.released), meter.asked, meter.booked, wire.calls) == (1, [], [], [])


async def test_a_24_where_the_ledger_cannot_be_asked_nothing_is_asked_of_the_provider() -> None:
    class Away(OpenMeter):
        async def ask(self, ticket):
            raise errors.DependencyUnavailable("The ledger")

    meter = Away()
    async with AnthropicWire(fake.say("x")) as wire:
        door = models(wire, meter=meter)
        with pytest.raises(errors.DependencyUnavailable):
            await _read_on(door)
        await door.aclose()
    assert (wire.calls, meter.booked, len(meter.released)) == ([], [], 1)


async def test_a_29_a_budget_held_by_calls_under_way_is_waited_for_and_that_is_told() -> None:
    class Held(OpenMeter):
        times = 2

        async def admit(self, call):
            if self.times:
                self.times -= 1
                raise errors.BudgetInFlight(retry_after=5.0)
            return await super().admit(call)

    async with AnthropicWire(fake.say("x")) as wire:
        heard = await listen(wire, meter=Held())
    assert [event.reason for event in heard.events("provider_delayed")] == ["budget_in_flight"] * 2
    assert heard.turn is not None


async def test_the_build_is_warned_once_when_four_fifths_of_its_budget_are_spent() -> None:
    meter = OpenMeter()
    async with AnthropicWire(fake.say("x")) as wire:
        [once] = (await listen(wire, meter=meter)).events("usage_recorded")
        caller = dataclasses.replace(CALLER, budget_microdollars=round(once.cost_microdollars * 3.5))
        warned = [(await listen(wire, meter=meter, caller=caller)).events("budget_warned") for _ in range(4)]
    assert [len(events) for events in warned] == [0, 1, 0, 0]
    assert warned[1][0].spent_microdollars == 3 * once.cost_microdollars


async def test_a_proxy_of_the_environment_does_not_stand_between_us_and_a_local_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with AnthropicWire(fake.say("here")) as wire:
        heard = await listen(wire)
    assert heard.text == "here"
