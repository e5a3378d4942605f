"""The meter: reserve before a call, settle after it, never lose either.

    admit → ask → (the request leaves, the answer comes) → settle
          ↘ release, if nothing was asked

Postgres decides. Where it cannot be asked, nothing is asked of the provider. What a lost worker left open, the sweeper
closes: given back if nothing was asked, booked by estimate if it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog

from cofounder_server import db, errors
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plan
from cofounder_server.clock import Clock
from cofounder_server.identity.accounts import Suspended
from cofounder_server.ledger.model import Conflict, Finding, Reservation, Scope, Settlement, Verdict
from cofounder_server.ledger.store import Ledger
from cofounder_server.usage import accounts, limits
from cofounder_server.usage.limits import Account
from cofounder_server.usage.prices import PriceTable, Tokens

# Calls under way hold the rest of a limit: seconds until one of them may have ended.
IN_FLIGHT_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that somebody wants to make of a model."""

    payer_id: str
    user_id: str
    project_id: UUID
    build_id: UUID | None
    # The build's hard cap; 0 for none.
    build_microdollars: int
    # The build's attempt, 0 for the interview.
    attempt: int
    stage: str
    role: str
    generation_id: str
    model: str
    asked_characters: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was admitted at a time: its row of the ledger."""

    ledger_id: UUID
    call: Call
    time: datetime
    price_version: str


class Metering(Protocol):
    """What has a call admitted and booked; see `Meter`, which is the one of production."""

    async def account(self, user_id: str) -> tuple[Account, Plan]: ...

    async def admit(self, call: Call) -> Ticket: ...

    async def ask(self, ticket: Ticket) -> None: ...

    async def settle(self, ticket: Ticket, settlement: Settlement) -> None: ...

    async def release(self, ticket: Ticket) -> None: ...

    async def spent_by_build(self, ticket: Ticket) -> int: ...

    def priced(self, answered: str, asked: str, ticket: Ticket) -> str: ...

    def cost(self, model: str, tokens: Tokens, ticket: Ticket) -> int: ...


class Meter:
    """Admits calls and books them.

    Args:
        reservation_seconds: How long an attempt may stay open before the sweeper closes it; longer than any call.
        global_microdollars: What everybody together may cost a UTC day; the breaker.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        prices: PriceTable,
        clock: Clock,
        *,
        new_id: Callable[[datetime], UUID],
        reservation_seconds: float,
        global_microdollars: int,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._prices = prices
        self._clock = clock
        self._new_id = new_id
        self._reservation = timedelta(seconds=reservation_seconds)
        self._global_microdollars = global_microdollars

    async def account(self, user_id: str) -> tuple[Account, Plan]:
        """Returns who pays, and under which plan, as of now.

        Raises:
            Suspended: The account is.
            DependencyUnavailable: That cannot be known just now.
        """
        try:
            account = await accounts.read(self._pool, user_id)
            plan = (await plans.read(self._pool))[account.plan_slug]
        except db.UNREACHABLE as fault:
            raise errors.DependencyUnavailable("The ledger") from fault
        if account.suspended:
            raise Suspended
        return account, plan

    async def admit(self, call: Call) -> Ticket:
        """Sets the most that a call may come to aside, in every limit that applies as of now.

        Raises:
            UnknownModel: No price is known, so no limit can hold.
            Suspended: The payer is.
            QuotaExceeded: A limit of the day is reached; says when it starts anew.
            BudgetSpent: The build's cap is.
            BudgetInFlight: Calls under way hold what is left; soon there may be room.
            DependencyUnavailable: The ledger cannot be asked; so nothing may be asked of the provider.
        """
        now = self._clock.now()
        read = limits.most_tokens(call.asked_characters)
        cost = self._prices.worst(call.model, read=read, written=call.max_tokens, at=now)
        account, plan = await self.account(call.payer_id)
        wanted = limits.limits_of(
            plan,
            account,
            day=limits.day_of(now),
            build_id=call.build_id,
            build_microdollars=call.build_microdollars,
            global_microdollars=self._global_microdollars,
        )
        reservation = self._reservation_of(call, read=read, cost=cost, now=now)
        try:
            findings = await self._ledger.reserve(reservation, wanted)
        except db.UNREACHABLE as fault:
            raise errors.DependencyUnavailable("The ledger") from fault
        self._refuse(findings, plan, now)
        return Ticket(reservation.ledger_id, call, now, self._prices.version)

    async def ask(self, ticket: Ticket) -> None:
        """Says that the request is about to leave.

        Raises:
            DependencyUnavailable: That cannot be written down, or the ticket expired: the request must not leave.
        """
        try:
            if await self._ledger.ask(ticket.ledger_id):
                return
        except db.UNREACHABLE as fault:
            raise errors.DependencyUnavailable("The ledger") from fault
        raise errors.DependencyUnavailable("The reservation")

    async def spent_by_build(self, ticket: Ticket) -> int:
        """Returns what the call's build has spent so far; 0 for a call of none, or while that cannot be known."""
        if ticket.call.build_id is None:
            return 0
        try:
            totals = await self._ledger.totals(Scope.BUILD, str(ticket.call.build_id))
        except db.UNREACHABLE:
            return 0
        return totals.spent_microdollars

    def priced(self, answered: str, asked: str, ticket: Ticket) -> str:
        """Returns the model to price a call by: the one that answered, if its price is known, else the one asked."""
        return answered if self._prices.knows(answered, at=ticket.time) else asked

    def cost(self, model: str, tokens: Tokens, ticket: Ticket) -> int:
        """Returns what a call cost in millionths of a dollar, at the prices of its reservation."""
        return self._prices.cost(model, tokens, at=ticket.time)

    async def settle(self, ticket: Ticket, settlement: Settlement) -> None:
        """Books what a call came to; safe to repeat. Waits for Postgres as long as it takes: nothing is lost by that,
        for the row is open until then.

        A contradiction to what is booked already is not raised but alarmed: the first stands.
        """
        while True:
            try:
                await self._ledger.settle(ticket.ledger_id, settlement, self._clock.now())
                return
            except db.UNREACHABLE as fault:
                log.warning("settling waits for Postgres", fault=type(fault).__name__)
                await self._clock.sleep(1.0)
            except Conflict as fault:
                log.error("ledger conflict", ledger_id=str(ticket.ledger_id), detail=str(fault))
                return

    async def release(self, ticket: Ticket) -> None:
        """Gives back what was set aside for a call that was never asked; while Postgres is away, the closer does."""
        try:
            await self._ledger.release(ticket.ledger_id, self._clock.now())
        except db.UNREACHABLE as fault:
            log.warning("a reservation is left to the closer", fault=type(fault).__name__)

    def _reservation_of(self, call: Call, *, read: int, cost: int, now: datetime) -> Reservation:
        return Reservation(
            ledger_id=self._new_id(now),
            payer_id=call.payer_id,
            user_id=call.user_id,
            project_id=call.project_id,
            build_id=call.build_id,
            stage=call.stage,
            role=call.role,
            model=call.model,
            attempt=call.attempt,
            generation_id=call.generation_id,
            day=limits.day_of(now),
            price_version=self._prices.version,
            counted_tokens=read,
            tokens=read + call.max_tokens,
            microdollars=cost,
            create_time=now,
            expire_time=now + self._reservation,
        )

    def _refuse(self, findings: Sequence[Finding], plan: Plan, now: datetime) -> None:
        """Raises what the first limit that is reached says; else, that of calls under way."""
        for finding in sorted(findings, key=lambda finding: finding.limit.scope is not Scope.BUILD):
            if finding.verdict is Verdict.REACHED:
                raise _reached(finding, plan, now)
        if any(finding.verdict is Verdict.IN_FLIGHT for finding in findings):
            raise errors.BudgetInFlight(retry_after=IN_FLIGHT_SECONDS)


def _reached(finding: Finding, plan: Plan, now: datetime) -> errors.CofounderError:
    limit = finding.limit
    match limit.scope:
        case Scope.BUILD:
            return errors.BudgetSpent(spent=finding.spent_microdollars, cap=limit.microdollars)
        case Scope.USER:
            quota, most = "tokens_per_day", limit.tokens
        case Scope.GLOBAL:
            quota, most = "platform_cost_per_day", limit.microdollars
    reset = limits.reset_of(limit.day)
    return errors.QuotaExceeded(quota=quota, limit=most, plan=plan.plan_slug, reset_time=reset, now=now)
