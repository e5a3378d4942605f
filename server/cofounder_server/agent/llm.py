"""The one door to the models: nothing else has a model answer, and every call that passes is reserved and booked."""

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import structlog
from google.protobuf import duration_pb2

from cofounder.runner.v1 import event_agent_pb2 as said
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.provider import Attempt, Block, Message, Provider, Request
from cofounder_server.agent.runner import Caller
from cofounder_server.clock import Clock
from cofounder_server.ledger.model import Settlement
from cofounder_server.usage.meter import Call, Metering, Ticket
from cofounder_server.usage.prices import Tokens

Role = Literal["architect", "coder", "debugger", "reviewer"]

DEFAULT_MODELS: Mapping[str, str] = {
    "architect": "claude-opus-5-5",
    "coder": "claude-sonnet-5-5",
    "debugger": "claude-sonnet-5-5",
    "reviewer": "claude-opus-5-5",
}
# The share of a build's budget at which it is warned of.
WARN_AT = 0.8
# How often a call waits for others to free what they hold of a limit.
IN_FLIGHT_WAITS = 60

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


class Models:
    """Has models answer on behalf of callers.

    Args:
        meter: Admits every attempt and books it.
        models: The deployment's model ids by role; `default` is for the roles that are not named. A plan's, and a
            user's own, go before. Empty: `DEFAULT_MODELS`.
    """

    def __init__(
        self,
        provider: Provider,
        meter: Metering,
        *,
        patience: Patience,
        clock: Clock,
        models: Mapping[str, str] | None = None,
        rng: random.Random | None = None,
        new_id: Callable[[], str] = lambda: f"gen_{secrets.token_hex(8)}",
    ) -> None:
        self.provider = provider
        self.meter = meter
        self.patience = patience
        self.clock = clock
        self.rng = rng or random.SystemRandom()
        self.new_id = new_id
        self._models = dict(models or {})

    async def aclose(self) -> None:
        """Closes the connections to the provider."""
        await self.provider.aclose()

    async def create_tracked_llm(self, caller: Caller, role: Role) -> "TrackedLlm":
        """Returns the one thing that has a model answer for `caller` in a role.

        Raises:
            Suspended: The payer is.
            DependencyUnavailable: That cannot be known just now.
        """
        await self.resolve(caller, role)
        return TrackedLlm(self, caller, role)

    async def resolve(self, caller: Caller, role: Role) -> str:
        """Returns the model that plays a role, as of now: the payer's own choice, else their plan's, else the
        deployment's. Raises as `create_tracked_llm`."""
        account, plan = await self.meter.account(caller.payer_id)
        for chosen in (account.override_models, plan.default_models, self._models):
            if model := chosen.get(role) or chosen.get("default"):
                return model
        return DEFAULT_MODELS[role]


class TrackedLlm:
    """A model in a role, on behalf of a caller."""

    def __init__(self, models: Models, caller: Caller, role: Role) -> None:
        self._models = models
        self._meter = models.meter
        self._caller = caller
        self._role: Role = role

    async def generate(
        self, *, stage: "Stage", system: Sequence[Block], messages: Sequence[Message], max_tokens: int
    ) -> AsyncGenerator[Piece, None]:
        """Asks the model and yields what it writes as it comes, then one `Turn`.

        Each attempt is admitted under the plan, the limits and the model as of now, and booked whatever becomes of it,
        also when this iterator is closed in the middle, which closes the connection.

        A broken attempt is tried again: the log learns that its text is void (`GenerationVoided`, if there was any),
        that the build waits, and which call replaces it. Each attempt that the provider may bill yields a
        `UsageRecorded`, the last piece of the attempt but a `BudgetWarned`.

        Raises:
            ProviderFailed, ProviderRateLimited: No attempt is left.
            errors.CofounderError: The call is not admitted; see `Meter.admit`. Nothing was asked.
        """
        replaced = ""
        for retry in itertools.count(1):
            model = await self._models.resolve(self._caller, self._role)
            request = Request(model, system, messages, max_tokens)
            attempt = Attempt(self._models.new_id(), stage, model)
            async with contextlib.aclosing(self._try(request, attempt, replaced)) as pieces:
                async for piece in pieces:
                    yield piece
            if attempt.fault is None:
                return
            wait = self._models.patience.wait(attempt.fault, retry=retry, rng=self._models.rng)
            if wait is None:
                raise attempt.fault.as_build_error()
            yield _delayed(attempt.fault.kind, wait, retry)
            await self._models.clock.sleep(wait)
            replaced = attempt.generation_id

    async def _try(self, request: Request, attempt: Attempt, replaced: str) -> AsyncGenerator[Piece, None]:
        """Yields all of one attempt, from its first event to its bill."""
        admitting = self._admit(request, attempt)
        ticket: Ticket | None = None
        async for step in admitting:
            if isinstance(step, Notice):
                yield step
            else:
                ticket = step
        assert ticket is not None, "an admission ends with a ticket or raises"
        asked = booked = False
        try:
            yield _started(attempt, replaced)
            await self._meter.ask(ticket)
            asked = True
            async with contextlib.aclosing(self._models.provider.answer(request, attempt, now=self._now())) as pieces:
                async for text, thinking in pieces:
                    attempt.shown = attempt.shown or bool(text or thinking)
                    if thinking:
                        delta = said.ThinkingDelta(generation_id=attempt.generation_id, text=thinking)
                        yield _notice(thinking_delta=delta)
                    if text:
                        yield Text(attempt.generation_id, text)
            settlement = self._settlement(request, attempt, ticket)
            await self._meter.settle(ticket, settlement)
            booked = True
        finally:
            if not booked:
                # Shielded: whoever cancels us must not leave the attempt to the sweeper, which knows less.
                await asyncio.shield(asyncio.ensure_future(self._close(request, attempt, ticket, asked=asked)))
        _report(self._caller, attempt)
        for piece in _ending(attempt, settlement, ticket):
            yield piece
        if warned := await self._warning(ticket, settlement):
            yield warned

    async def _admit(self, request: Request, attempt: Attempt) -> AsyncGenerator[Notice | Ticket, None]:
        """Yields the attempt's ticket; before it, that it waits for others to free what they hold of a limit."""
        call = self._call(request, attempt)
        for retry in itertools.count(1):
            try:
                yield await self._meter.admit(call)
                return
            except errors.BudgetInFlight as held:
                if retry > IN_FLIGHT_WAITS or held.retry_after is None:
                    raise
                yield _delayed("budget_in_flight", held.retry_after, retry)
                await self._models.clock.sleep(held.retry_after)

    def _call(self, request: Request, attempt: Attempt) -> Call:
        caller = self._caller
        return Call(
            payer_id=caller.payer_id,
            user_id=caller.user_id,
            project_id=UUID(caller.project_id),
            build_id=UUID(caller.build_id) if caller.build_id else None,
            build_microdollars=caller.budget_microdollars,
            attempt=caller.attempt,
            stage=Stage.Name(attempt.stage).removeprefix("STAGE_").lower(),
            role=self._role,
            generation_id=attempt.generation_id,
            model=request.model,
            asked_characters=request.characters,
            max_tokens=request.max_tokens,
        )

    async def _close(self, request: Request, attempt: Attempt, ticket: Ticket, *, asked: bool) -> None:
        """Closes an attempt that was cut by us. A person who cancels pays for what was written; where a worker is lost
        or drains, the step is played again, and the platform pays."""
        if asked:
            await self._meter.settle(ticket, self._settlement(request, attempt, ticket, cut=True))
        else:
            await self._meter.release(ticket)

    def _settlement(self, request: Request, attempt: Attempt, ticket: Ticket, *, cut: bool = False) -> Settlement:
        tokens, estimated = attempt.answer.tokens(asked_characters=request.characters)
        fault = attempt.fault
        if fault is not None and not fault.metered:
            tokens, estimated = Tokens(), False
        attempt.model = self._meter.priced(attempt.answer.model, attempt.model, ticket)
        return Settlement(
            model=attempt.model,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read,
            cache_write_5m_tokens=tokens.cache_write_5m,
            cache_write_1h_tokens=tokens.cache_write_1h,
            cost_microdollars=self._meter.cost(attempt.model, tokens, ticket),
            estimated=estimated,
            platform_borne=not self._caller.stop.asked if cut else fault is not None and fault.rule.platform_borne,
            outcome="cut" if cut else fault.kind if fault else "answered",
            provider_request_id=attempt.request_id,
        )

    async def _warning(self, ticket: Ticket, settlement: Settlement) -> Notice | None:
        """Returns a warning if this call took the build over the share of its budget at which it is warned of."""
        cap = self._caller.budget_microdollars
        if not cap or settlement.platform_borne:
            return None
        spent = await self._meter.spent_by_build(ticket)
        if not spent - settlement.cost_microdollars < WARN_AT * cap <= spent:
            return None
        return _notice(budget_warned=said.BudgetWarned(spent_microdollars=spent, limit_microdollars=cap, limit="build"))

    def _now(self) -> Any:
        return self._models.clock.now()


def _ending(attempt: Attempt, settlement: Settlement, ticket: Ticket) -> list[Piece]:
    """Returns what an attempt ends with: its turn or that it is void, and its bill."""
    pieces: list[Piece] = []
    if attempt.fault is None:
        pieces.append(_turn(attempt, settlement))
    elif attempt.shown:
        voided = said.GenerationVoided(generation_id=attempt.generation_id, reason=attempt.fault.kind)
        pieces.append(_notice(generation_voided=voided))
    if attempt.fault is None or attempt.fault.metered:
        pieces.append(_notice(usage_recorded=_usage(attempt, settlement, ticket)))
    return pieces


def _usage(attempt: Attempt, settlement: Settlement, ticket: Ticket) -> said.UsageRecorded:
    return said.UsageRecorded(
        generation_id=attempt.generation_id,
        model=settlement.model,
        input_tokens=settlement.input_tokens,
        output_tokens=settlement.output_tokens,
        cache_read_tokens=settlement.cache_read_tokens,
        cache_write_5m_tokens=settlement.cache_write_5m_tokens,
        cache_write_1h_tokens=settlement.cache_write_1h_tokens,
        cost_microdollars=settlement.cost_microdollars,
        price_version=ticket.price_version,
        estimated=settlement.estimated,
        ledger_id=str(ticket.ledger_id),
        stage=attempt.stage,
        platform_borne=settlement.platform_borne,
        provider_request_id=settlement.provider_request_id,
    )


def _started(attempt: Attempt, replaced: str) -> Notice:
    return _notice(
        generation_started=said.GenerationStarted(
            generation_id=attempt.generation_id,
            stage=attempt.stage,
            model=attempt.model,
            replaces_generation_id=replaced,
        )
    )


def _turn(attempt: Attempt, settlement: Settlement) -> Turn:
    return Turn(
        generation_id=attempt.generation_id,
        text=attempt.answer.text,
        stop_reason=attempt.answer.stop_reason,
        model=attempt.model,
        tokens=Tokens(
            input=settlement.input_tokens,
            output=settlement.output_tokens,
            cache_read=settlement.cache_read_tokens,
            cache_write_5m=settlement.cache_write_5m_tokens,
            cache_write_1h=settlement.cache_write_1h_tokens,
        ),
        cost_microdollars=settlement.cost_microdollars,
        request_id=attempt.request_id,
    )


def _delayed(reason: str, wait: float, retry: int) -> Notice:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(wait * 1000))
    return _notice(provider_delayed=said.ProviderDelayed(reason=reason, retry_delay=delay, retry=retry))


def _report(caller: Caller, attempt: Attempt) -> None:
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
