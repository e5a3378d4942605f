"""What an answer holds: its text, made valid; its usage, counted once; its shape, whatever it is."""

from typing import Any

import pytest

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.rehearsal import wire as sse
from cofounder_server.testing import anthropic_wire as fake
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.listener import listen
from cofounder_server.usage.prices import PriceTable


async def test_usage_in_the_event_equals_the_wires_and_is_counted_once() -> None:
    """A-26, example 23: cumulative counts in message_start and message_delta are not added."""
    async with AnthropicWire(fake.say("x")) as wire:
        heard = await listen(wire)
    [usage] = heard.events("usage_recorded")
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (25, 7, 1000)
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (400, 100)
    assert usage.cost_microdollars == PriceTable().cost(fake.MODEL, fake.TOKENS)
    assert usage.price_version == PriceTable().version
    assert (usage.model, usage.stage, usage.estimated) == (fake.MODEL, Stage.STAGE_CODER, False)
    assert not usage.platform_borne
    assert usage.provider_request_id == "req_scripted"


async def test_a_broken_attempt_is_booked_by_estimate_and_borne_by_the_platform() -> None:
    """E-6, example 151: what was read as reported, what was written by its length."""
    text = "x" * 300
    async with AnthropicWire(fake.broken([text]), fake.say("whole")) as wire:
        heard = await listen(wire)
    broken, whole = heard.events("usage_recorded")
    assert broken.estimated
    assert broken.platform_borne
    assert (broken.input_tokens, broken.cache_read_tokens, broken.output_tokens) == (25, 1000, 100)
    assert not whole.estimated
    assert not whole.platform_borne


async def test_an_attempt_that_broke_before_its_first_count_is_booked_by_the_length_of_the_request() -> None:
    """E-6: the provider may have read it all."""
    async with AnthropicWire(fake.silent(), fake.say("whole")) as wire:
        heard = await listen(wire, first_byte=0.2)
    [usage] = [event for event in heard.events("usage_recorded") if event.estimated]
    assert usage.input_tokens == (len("# Coder") + 360 + 2) // 3
    assert usage.output_tokens == 0


async def test_a_refusal_is_booked_to_the_user() -> None:
    """Example 161."""
    async with AnthropicWire(fake.say("No.", stop_reason="refusal")) as wire:
        heard = await listen(wire)
    [usage] = heard.events("usage_recorded")
    assert (usage.output_tokens, usage.estimated, usage.platform_borne) == (7, False, False)


@pytest.mark.parametrize("count", [-5, 10**12, 1.5, "many", [], None])
async def test_a_count_that_cannot_be_is_not_believed(count: object) -> None:
    """Example 33: estimated and marked, never a credit."""
    said = list(sse.message(["word " * 30], tokens=fake.TOKENS, model=fake.MODEL))
    usage = {**sse.usage(fake.TOKENS), "input_tokens": count, "output_tokens": count}
    said[-2] = sse.event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
    async with AnthropicWire(fake.events(*said)) as wire:
        heard = await listen(wire)
    [event] = heard.events("usage_recorded")
    assert heard.turn is not None
    assert event.estimated == (count is not None)
    assert 0 < event.output_tokens <= 50
    assert event.cost_microdollars > 0


@pytest.mark.parametrize("size", range(1, 12))
async def test_a_character_split_anywhere_by_the_provider_arrives_whole(size: int) -> None:
    """Example 97: ZWJ emoji, combining marks and CJK, cut between bytes on the wire and between JSON escapes."""
    text = "👩‍👩‍👧 e\u0301 漢字 \U0001f600"
    halves = [piece for character in text for piece in _escaped(character)]
    raw = b"".join(_deltas(halves))
    frames = [
        sse.start(message_id="m", model=fake.MODEL, tokens=fake.TOKENS),
        *(raw[at : at + size] for at in range(0, len(raw), size)),
    ]
    async with AnthropicWire(fake.events(*frames, *sse.end(tokens=fake.TOKENS))) as wire:
        heard = await listen(wire)
    assert heard.turn is not None
    assert heard.text == heard.turn.text == text


def _escaped(character: str) -> list[str]:
    units = character.encode("utf-16-be")
    return [f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)]


def _deltas(escapes: list[str]) -> list[bytes]:
    begin, end = list(sse.text_block([]))
    data = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'
    delta = f"event: content_block_delta\ndata: {data}\n\n"
    return [begin, *((delta % escape).encode() for escape in escapes), end]


async def test_nul_and_lone_surrogates_are_made_valid_at_the_source() -> None:
    """C-10."""
    async with AnthropicWire(
        fake.events(
            sse.start(message_id="m", model=fake.MODEL, tokens=fake.TOKENS),
            *_deltas(["a\\u0000b\\ud800", "c\\udc00", "\\ud83d"]),
            *sse.end(tokens=fake.TOKENS),
        )
    ) as wire:
        heard = await listen(wire)
    assert heard.text == "a\ufffdb\ufffdc\ufffd\ufffd"


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [{"type": "thinking", "thinking": "", "signature": ""}],
        [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}],
        [{"type": "text", "text": ""}, {"type": "something_new", "data": 1}],
    ],
)
async def test_answers_of_unusual_shape_are_handled(blocks: list[dict[str, Any]]) -> None:
    """Example 167: none, thinking alone, two blocks, blocks of a new kind."""
    frames = [sse.start(message_id="m", model=fake.MODEL, tokens=fake.TOKENS)]
    for index, block in enumerate(blocks):
        frames.append(sse.event("content_block_start", index=index, content_block=block))
        if block["type"] == "thinking":
            delta = {"type": "thinking_delta", "thinking": "hm"}
            frames.append(sse.event("content_block_delta", index=index, delta=delta))
        frames.append(sse.event("content_block_stop", index=index))
    async with AnthropicWire(fake.events(*frames, *sse.end(tokens=fake.TOKENS))) as wire:
        heard = await listen(wire)
    assert heard.turn is not None
    assert heard.turn.text == "".join(block.get("text", "") for block in blocks)
    assert [event.text for event in heard.events("thinking_delta")] == (
        ["hm"] if blocks and "thinking" in blocks[0] else []
    )
