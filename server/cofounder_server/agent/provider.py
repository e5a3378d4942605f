"""The provider's wire: one attempt to have a model answer, streamed, under our limits of time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import anthropic
import httpx2
from anthropic.types import MessageParam, RawMessageStreamEvent, TextBlockParam

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.answer import Answer
from cofounder_server.agent.faults import ProviderFault, fault_of
from cofounder_server.agent.patience import Patience

# A turn of a conversation, and a block of text in one, as the API takes them.
Message: TypeAlias = MessageParam
Block: TypeAlias = TextBlockParam


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model."""

    model: str
    system: Sequence[Block]
    messages: Sequence[Message]
    max_tokens: int

    @property
    def characters(self) -> int:
        """How many characters the model is to read."""
        blocks: list[Any] = [block["text"] for block in self.system]
        for message in self.messages:
            content = message["content"]
            blocks += [content] if isinstance(content, str) else [_text_of(block) for block in content]
        return sum(map(len, blocks))


@dataclass(slots=True)
class Attempt:
    """One request and what came of it."""

    generation_id: str
    stage: "Stage"
    model: str
    answer: Answer = field(default_factory=Answer)
    request_id: str = ""
    shown: bool = False
    fault: ProviderFault | None = None


class Provider:
    """Any server of the Messages API.

    Args:
        api_key: Sent to the provider and nowhere else: no error, log or event holds it.
    """

    def __init__(self, *, api_key: str, base_url: str, patience: Patience) -> None:
        self._patience = patience
        self._client = anthropic.AsyncAnthropic(
            # A local server may want no key, but the SDK insists on one.
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            timeout=httpx2.Timeout(
                patience.total, connect=patience.connect, read=max(patience.first_byte, patience.silence)
            ),
            # A proxy of the environment is for the way out; it cannot reach a model on this machine.
            http_client=_direct_client() if _is_here(base_url) else None,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def answer(
        self, request: Request, attempt: Attempt, *, now: datetime
    ) -> AsyncGenerator[tuple[str, str], None]:
        """Yields (text, thinking) as they come; the fault that ended it, if one did, is then in `attempt`."""
        try:
            async with contextlib.aclosing(self._events(request, attempt)) as events:
                async for event in events:
                    yield attempt.answer.take(event)
        except Exception as error:
            # A connection that breaks after the last event takes nothing away.
            if not attempt.answer.stopped or isinstance(error, ProviderFault):
                attempt.fault = fault_of(error, now=now)
        if attempt.fault is None:
            try:
                attempt.answer.finish()
            except ProviderFault as fault:
                attempt.fault = fault
        attempt.request_id = attempt.request_id or (attempt.fault.request_id if attempt.fault else "")

    async def _events(self, request: Request, attempt: Attempt) -> AsyncGenerator[RawMessageStreamEvent, None]:
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


def _direct_client() -> httpx2.AsyncClient:
    return anthropic.DefaultAsyncHttpxClient(transport=httpx2.AsyncHTTPTransport())


def _is_here(base_url: str) -> bool:
    host = httpx2.URL(base_url).host
    return host in ("localhost", "::1") or host.startswith("127.")


def _text_of(block: Any) -> str:
    return block["text"] if isinstance(block, Mapping) and "text" in block else ""
