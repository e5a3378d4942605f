"""The Messages API's stream as it stands on the wire: server-sent events, in the provider's order."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cofounder_server.usage.prices import Tokens


def event(name: str, **data: Any) -> bytes:
    """Returns one server-sent event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data}, separators=(',', ':'))}\n\n".encode()


def ping() -> bytes:
    return event("ping")


def error(kind: str, message: str) -> bytes:
    """Returns the event by which the provider breaks a stream off."""
    return event("error", error={"type": kind, "message": message})


def usage(tokens: Tokens) -> dict[str, Any]:
    """Returns the tokens as the provider reports them: `input_tokens` is without the cache."""
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }


def start(*, message_id: str, model: str, tokens: Tokens) -> bytes:
    """Returns `message_start`. Its count of the output is of the few tokens written by then."""
    message: dict[str, Any] = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage(tokens), "output_tokens": min(1, tokens.output)},
    }
    return event("message_start", message=message)


def text_block(pieces: Sequence[str], *, index: int = 0) -> Iterator[bytes]:
    """Yields one block of text, a delta for each piece."""
    yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    for piece in pieces:
        yield event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
    yield event("content_block_stop", index=index)


def end(*, tokens: Tokens, stop_reason: str = "end_turn") -> Iterator[bytes]:
    """Yields `message_delta`, with the cumulative counts, and `message_stop`."""
    counts = {name: count for name, count in usage(tokens).items() if name.endswith("_tokens")}
    yield event("message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage=counts)
    yield event("message_stop")


def message(
    pieces: Sequence[str],
    *,
    tokens: Tokens,
    model: str,
    message_id: str = "msg_scripted",
    stop_reason: str = "end_turn",
) -> Iterator[bytes]:
    """Yields a whole answer of one block of text."""
    yield start(message_id=message_id, model=model, tokens=tokens)
    yield ping()
    yield from text_block(pieces)
    yield from end(tokens=tokens, stop_reason=stop_reason)


def refusal_body(kind: str, message: str, *, request_id: str = "") -> Mapping[str, Any]:
    """Returns the JSON body of a request that the provider does not serve."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
