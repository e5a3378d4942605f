"""One answer of the provider, folded from the events of its stream: pure, and strict about their order (E-1)."""

from collections.abc import Mapping
from typing import Any

from anthropic.types import RawMessageStreamEvent

from cofounder_server.agent.faults import ProviderFault
from cofounder_server.builds import text as texts
from cofounder_server.usage.limits import likely_tokens
from cofounder_server.usage.prices import Tokens

# A count beyond this is no count.
_MOST_TOKENS = 100_000_000
_WHOLE = ("end_turn", "stop_sequence")


class Answer:
    """What has arrived of one answer. Feed it every event, then ask `finish`."""

    def __init__(self) -> None:
        self.text = ""
        self.thought = 0  # characters of thinking
        self.model = ""
        self.stop_reason = ""
        self.started = False
        self.stopped = False
        self._parts: list[str] = []
        self._blocks = 0
        self._open: int | None = None
        self._usage: dict[str, Any] = {}
        self._joiner = _Joiner()

    def take(self, event: RawMessageStreamEvent) -> tuple[str, str]:
        """Returns (text, thinking) that the event adds, clean. Raises `ProviderFault` if the events make no sense."""
        kind = getattr(event, "type", None)
        if self.stopped or (kind == "message_start") == self.started:
            raise _disorder(f"{kind} where it cannot be")
        match kind:
            case "message_start":
                self._start(event)
            case "content_block_start":
                return self._begin_block(event)
            case "content_block_delta":
                return self._add(event)
            case "content_block_stop":
                return self._end_block(event)
            case "message_delta":
                self.stop_reason = _field(event, "delta", "stop_reason") or self.stop_reason
                self._count(_field(event, "usage"))
            case "message_stop":
                self.stopped = True
        return "", ""

    def finish(self) -> None:
        """Raises `ProviderFault` unless the answer is complete: a `message_stop`, and a reason that says so."""
        self.text = "".join(self._parts)
        if not self.started:
            raise ProviderFault("transient", detail="no answer in the stream")
        if not self.stopped or self._open is not None:
            raise ProviderFault("truncated", detail="the stream ended early")
        if self.stop_reason == "max_tokens":
            raise ProviderFault("truncated", detail="max_tokens")
        if self.stop_reason == "model_context_window_exceeded":
            raise ProviderFault("too_large", detail="model_context_window_exceeded")
        if self.stop_reason == "refusal":
            raise ProviderFault("refused", detail="refusal")
        if self.stop_reason in ("tool_use", "pause_turn"):
            raise ProviderFault("bad_output", detail=f"{self.stop_reason}, but no tool was offered")
        if self.stop_reason not in _WHOLE:
            raise ProviderFault("unknown", detail="a stop reason that is not known")

    def tokens(self, *, asked_characters: int) -> tuple[Tokens, bool]:
        """Returns the tokens of the call, and whether they are our estimate: the provider's final count is missing."""
        reported = _reported(self._usage)
        if self.stopped and reported is not None:
            return reported, False
        written = likely_tokens(sum(map(len, self._parts)) + self.thought)
        if reported is None:
            return Tokens(input=likely_tokens(asked_characters), output=written), True
        return Tokens(
            input=reported.input,
            output=max(reported.output, written),
            cache_read=reported.cache_read,
            cache_write_5m=reported.cache_write_5m,
            cache_write_1h=reported.cache_write_1h,
        ), True

    def _start(self, event: RawMessageStreamEvent) -> None:
        self.started = True
        self.model = str(_field(event, "message", "model") or "")
        self._count(_field(event, "message", "usage"))

    def _count(self, usage: Any) -> None:
        # The counts are cumulative: the last stands, and one that is left out keeps its former value.
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if (value := _field(usage, name)) is not None:
                self._usage[name] = value
        if (value := _field(usage, "cache_creation", "ephemeral_1h_input_tokens")) is not None:
            self._usage["cache_write_1h"] = value

    def _begin_block(self, event: RawMessageStreamEvent) -> tuple[str, str]:
        if self._open is not None or _field(event, "index") != self._blocks:
            raise _disorder("a block begins out of turn")
        self._open = self._blocks
        self._blocks += 1
        return self._said(_field(event, "content_block", "text"), _field(event, "content_block", "thinking"))

    def _add(self, event: RawMessageStreamEvent) -> tuple[str, str]:
        if self._open is None or _field(event, "index") != self._open:
            raise _disorder("a delta for a block that is not open")
        return self._said(_field(event, "delta", "text"), _field(event, "delta", "thinking"))

    def _end_block(self, event: RawMessageStreamEvent) -> tuple[str, str]:
        if self._open is None or _field(event, "index") != self._open:
            raise _disorder("the end of a block that is not open")
        self._open = None
        return self._keep(self._joiner.flush()), ""

    def _said(self, text: Any, thinking: Any) -> tuple[str, str]:
        said = self._keep(self._joiner.feed(text)) if isinstance(text, str) else ""
        thought = texts.clean(thinking) if isinstance(thinking, str) else ""
        self.thought += len(thought)
        return said, thought

    def _keep(self, text: str) -> str:
        if text:
            self._parts.append(text)
        return text


class _Joiner:
    """Makes text clean (C-10) although JSON escapes may split a character between two deltas."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        text = self._held + text
        self._held = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        return texts.clean(text[: len(text) - len(self._held)])

    def flush(self) -> str:
        held, self._held = self._held, ""
        return texts.clean(held)


def _field(value: Any, *names: str) -> Any:
    """Returns a field of what the SDK built without checking it; None if anything on the way is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def _reported(usage: Mapping[str, Any]) -> Tokens | None:
    """Returns the provider's count; None if there is none, or one that cannot be."""
    counts = {name: usage.get(name, 0) for name in ("output_tokens", "cache_read_input_tokens")}
    counts["input_tokens"] = usage.get("input_tokens")
    counts["written"] = usage.get("cache_creation_input_tokens", 0)
    counts["written_1h"] = usage.get("cache_write_1h", 0)
    for count in counts.values():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_TOKENS:
            return None
    hour = min(counts["written_1h"], counts["written"])
    return Tokens(
        input=counts["input_tokens"],
        output=counts["output_tokens"],
        cache_read=counts["cache_read_input_tokens"],
        cache_write_5m=counts["written"] - hour,
        cache_write_1h=hour,
    )


def _disorder(detail: str) -> ProviderFault:
    return ProviderFault("bad_output", detail=detail)
