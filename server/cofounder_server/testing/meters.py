"""A meter without a ledger: everybody is admitted, and what is booked is kept for the test to read."""

from datetime import UTC, datetime
from uuid import uuid4

from cofounder_server.billing.plans import Plan
from cofounder_server.ledger.model import Settlement
from cofounder_server.usage.limits import Account
from cofounder_server.usage.meter import Call, Ticket
from cofounder_server.usage.prices import PriceTable, Tokens

TIME = datetime(2026, 11, 1, tzinfo=UTC)
PLAN = Plan(
    plan_slug="bootstrapper",
    price_microdollars=0,
    builds_a_day=5,
    concurrent_user=2,
    concurrent_project=2,
    tokens_a_day=500_000,
    head_start_seconds=0,
)


class OpenMeter:
    """Admits every call whose model has a price."""

    def __init__(self, prices: PriceTable | None = None) -> None:
        self.prices = prices or PriceTable()
        self.plan = PLAN
        self.override_models: dict[str, str] = {}
        self.booked: list[tuple[Ticket, Settlement]] = []
        self.released: list[Ticket] = []
        self.asked: list[Ticket] = []

    async def account(self, user_id: str) -> tuple[Account, Plan]:
        account = Account(user_id=user_id, plan_slug=self.plan.plan_slug, override_models=self.override_models)
        return account, self.plan

    async def admit(self, call: Call) -> Ticket:
        self.prices.check(call.model)
        return Ticket(uuid4(), call, TIME, self.prices.version)

    async def ask(self, ticket: Ticket) -> None:
        self.asked.append(ticket)

    async def settle(self, ticket: Ticket, settlement: Settlement) -> None:
        self.booked.append((ticket, settlement))

    async def release(self, ticket: Ticket) -> None:
        self.released.append(ticket)

    async def spent_by_build(self, ticket: Ticket) -> int:
        mine = ticket.call.build_id
        return sum(booked.cost_microdollars for known, booked in self.booked if known.call.build_id == mine)

    def priced(self, answered: str, asked: str, ticket: Ticket) -> str:
        del ticket  # its time plays no part: these prices do not change
        return answered if self.prices.knows(answered) else asked

    def cost(self, model: str, tokens: Tokens, ticket: Ticket) -> int:
        del ticket
        return self.prices.cost(model, tokens)
