"""The one door to the models: every call passes `Models.generate`, and nothing else constructs a client."""

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import anthropic
import httpx2
import structlog
from anthropic.types import MessageParam, RawMessageStreamEvent, TextBlockParam
from google.protobuf import duration_pb2

from cofounder.runner.v1 import event_agent_pb2 as said
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.answer import Answer
from cofounder_server.agent.faults import ProviderFault, fault_of
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.runner import Caller
from cofounder_server.clock import Clock, WallClock
from cofounder_server.usage.prices import PriceTable, Tokens

Role = Literal["architect", "coder", "debugger", "reviewer"]
# A turn of a conversation, and a block of text in one, as the API takes them.
Message: TypeAlias = MessageParam
Block: TypeAlias = TextBlockParam

DEFAULT_MODELS: Mapping[str, str] = {
    "architect": "claude-opus-5-5",
    "coder": "claude-sonnet-5-5",
    "debugger": "claude-sonnet-5-5",
    "reviewer": "claude-opus-5-5",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Text:
    """The model wrote this much more. Clean (C-10), and never split inside a character."""

    generation_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """An event for the log, as it is: a call began, was voided, was metered; the model thought; a wait began."""

    event: BuildEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The whole answer. Comes once, and only if it is complete (E-1)."""

    generation_id: str
    text: str
    stop_reason: str
    model: str
    tokens: Tokens
    cost_microdollars: int
    request_id: str


Piece = Text | Notice | Turn


@dataclass(slots=True)
class _Attempt:
    """One request and what came of it."""

    generation_id: str
    stage: "Stage"
    model: str
    answer: Answer = field(default_factory=Answer)
    request_id: str = ""
    shown: bool = False
    fault: ProviderFault | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    model: str
    system: Sequence[Block]
    messages: Sequence[Message]
    max_tokens: int

    @property
    def characters(self) -> int:
        blocks: list[Any] = [block["text"] for block in self.system]
        for message in self.messages:
            content = message["content"]
            blocks += [content] if isinstance(content, str) else [_text_of(block) for block in content]
        return sum(map(len, blocks))


class Models:
    """Calls models on behalf of a caller.

    Args:
        api_key: Sent to the provider and nowhere else: no error, log or event holds it.
        base_url: Any server of the Messages API.
        prices: A model without a price is refused before it is called (A-25).
        models: Model ids by role; `default` is for the roles that are not named. Empty: `DEFAULT_MODELS`.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        prices: PriceTable,
        models: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        new_id: Callable[[], str] = lambda: f"gen_{secrets.token_hex(8)}",
    ) -> None:
        self._prices = prices
        self._models = dict(models or {})
        self._patience = patience or Patience()
        self._clock = clock or WallClock()
        self._rng = rng or random.SystemRandom()
        self._new_id = new_id
        self._client = anthropic.AsyncAnthropic(
            # A local server may want no key, but the SDK insists on one.
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            timeout=httpx2.Timeout(
                self._patience.total,
                connect=self._patience.connect,
                read=max(self._patience.first_byte, self._patience.silence),
            ),
            # A proxy of the environment is for the way out; it cannot reach a model on this machine.
            http_client=_direct_client() if _is_here(base_url) else None,
        )

    async def aclose(self) -> None:
        """Closes the connections to the provider."""
        await self._client.close()

    def resolve(self, role: Role) -> str:
        """Returns the id of the model that plays `role`."""
        return self._models.get(role) or self._models.get("default") or DEFAULT_MODELS[role]

    async def generate(
        self,
        caller: Caller,
        *,
        stage: "Stage",
        role: Role,
        system: Sequence[Block],
        messages: Sequence[Message],
        max_tokens: int,
    ) -> AsyncGenerator[Piece, None]:
        """Asks the model that plays `role` and yields what it writes as it comes, then one `Turn`.

        A broken attempt is tried again: the log learns that its text is void (`GenerationVoided`, if there was any),
        that the build waits, and which call replaces it. Each attempt that the provider may bill yields a
        `UsageRecorded`, the last piece of the attempt. Raises `ProviderFailed` or `ProviderRateLimited` when no
        attempt is left, and `UnknownModel` before the first. Closing the iterator closes the connection.
        """
        request = _Request(self.resolve(role), system, messages, max_tokens)
        self._prices.check(request.model, at=self._clock.now())
        replaced = ""
        for retry in itertools.count(1):
            attempt = _Attempt(self._new_id(), stage, request.model)
            async with contextlib.aclosing(self._try(caller, request, attempt, replaced)) as pieces:
                async for piece in pieces:
                    yield piece
            if attempt.fault is None:
                return
            wait = self._patience.wait(attempt.fault, retry=retry, rng=self._rng)
            if wait is None:
                raise attempt.fault.as_build_error()
            yield _delayed(attempt.fault, wait, retry)
            await self._clock.sleep(wait)
            replaced = attempt.generation_id

    async def _try(
        self, caller: Caller, request: _Request, attempt: _Attempt, replaced: str
    ) -> AsyncGenerator[Piece, None]:
        """Yields all of one attempt, from its first event to its bill."""
        yield _started(attempt, replaced)
        async with contextlib.aclosing(self._answer(request, attempt)) as pieces:
            async for piece in pieces:
                attempt.shown = True
                yield piece
        tokens, estimated = attempt.answer.tokens(asked_characters=request.characters)
        cost = self._cost(attempt, tokens)
        _report(caller, attempt)
        if attempt.fault is None:
            yield _turn(attempt, tokens, cost)
        elif attempt.shown:
            voided = said.GenerationVoided(generation_id=attempt.generation_id, reason=attempt.fault.kind)
            yield _notice(generation_voided=voided)
        if attempt.fault is None or attempt.fault.metered:
            yield _notice(usage_recorded=self._usage(attempt, tokens, cost, estimated=estimated))

    async def _answer(self, request: _Request, attempt: _Attempt) -> AsyncGenerator[Piece, None]:
        """Yields what one attempt adds; the fault that ended it, if one did, is then in `attempt`."""
        try:
            async with contextlib.aclosing(self._events(request, attempt)) as events:
                async for event in events:
                    text, thinking = attempt.answer.take(event)
                    if thinking:
                        delta = said.ThinkingDelta(generation_id=attempt.generation_id, text=thinking)
                        yield _notice(thinking_delta=delta)
                    if text:
                        yield Text(attempt.generation_id, text)
        except Exception as error:
            # A connection that breaks after the last event takes nothing away.
            if not attempt.answer.stopped or isinstance(error, ProviderFault):
                attempt.fault = fault_of(error, now=self._clock.now())
        if attempt.fault is None:
            try:
                attempt.answer.finish()
            except ProviderFault as fault:
                attempt.fault = fault
        attempt.request_id = attempt.request_id or (attempt.fault.request_id if attempt.fault else "")

    async def _events(self, request: _Request, attempt: _Attempt) -> AsyncGenerator[RawMessageStreamEvent, None]:
        """Yields the events of the provider's stream under our three limits of time (E-4).

        A limit never spans a yield: it would count the reader's time and cancel the reader's task.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience.total
        begin = loop.time() + self._patience.first_byte
        async with asyncio.timeout_at(min(begin, end)):
            stream = await self._client.messages.create(
                model=request.model,
                max_tokens=request.max_tokens,
                system=list(request.system),
                messages=list(request.messages),
                stream=True,
            )
        try:
            attempt.request_id = stream.response.headers.get("request-id", "")
            iterator = aiter(stream)
            limit = begin
            while True:
                async with asyncio.timeout_at(min(limit, end)):
                    event = await anext(iterator, None)
                if event is None:
                    return
                yield event
                limit = loop.time() + self._patience.silence
        finally:
            await stream.close()

    def _cost(self, attempt: _Attempt, tokens: Tokens) -> int:
        now = self._clock.now()
        if self._prices.knows(attempt.answer.model, at=now):
            attempt.model = attempt.answer.model
        return self._prices.cost(attempt.model, tokens, at=now)

    def _usage(self, attempt: _Attempt, tokens: Tokens, cost: int, *, estimated: bool) -> said.UsageRecorded:
        return said.UsageRecorded(
            generation_id=attempt.generation_id,
            model=attempt.model,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read,
            cache_write_5m_tokens=tokens.cache_write_5m,
            cache_write_1h_tokens=tokens.cache_write_1h,
            cost_microdollars=cost,
            price_version=self._prices.version,
            estimated=estimated,
            stage=attempt.stage,
            platform_borne=attempt.fault is not None and attempt.fault.rule.platform_borne,
            provider_request_id=attempt.request_id,
        )


def _started(attempt: _Attempt, replaced: str) -> Notice:
    return _notice(
        generation_started=said.GenerationStarted(
            generation_id=attempt.generation_id,
            stage=attempt.stage,
            model=attempt.model,
            replaces_generation_id=replaced,
        )
    )


def _turn(attempt: _Attempt, tokens: Tokens, cost: int) -> Turn:
    return Turn(
        generation_id=attempt.generation_id,
        text=attempt.answer.text,
        stop_reason=attempt.answer.stop_reason,
        model=attempt.model,
        tokens=tokens,
        cost_microdollars=cost,
        request_id=attempt.request_id,
    )


def _delayed(fault: ProviderFault, wait: float, retry: int) -> Notice:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(wait * 1000))
    return _notice(provider_delayed=said.ProviderDelayed(reason=fault.kind, retry_delay=delay, retry=retry))


def _report(caller: Caller, attempt: _Attempt) -> None:
    """Logs the attempt, and loudly what nobody foresaw (E-2)."""
    fault = attempt.fault
    level = _log.info if fault is None else _log.error if fault.kind == "unknown" else _log.warning
    level(
        "model_call",
        build_id=caller.build_id,
        user_id=caller.user_id,
        stage=Stage.Name(attempt.stage),
        model=attempt.model,
        generation_id=attempt.generation_id,
        request_id=attempt.request_id,
        fault=fault.kind if fault else None,
        detail=fault.detail if fault else None,
    )


def _notice(**kind: Any) -> Notice:
    return Notice(BuildEvent(**kind))


def _direct_client() -> httpx2.AsyncClient:
    return anthropic.DefaultAsyncHttpxClient(transport=httpx2.AsyncHTTPTransport())


def _is_here(base_url: str) -> bool:
    host = httpx2.URL(base_url).host
    return host in ("localhost", "::1") or host.startswith("127.")


def _text_of(block: Any) -> str:
    return block["text"] if isinstance(block, Mapping) and "text" in block else ""
