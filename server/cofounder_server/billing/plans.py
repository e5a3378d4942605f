"""Plans: what each gives. They stand in Postgres, where an operator changes them without a deploy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cofounder_server import db
from cofounder_server.identity.accounts import DEFAULT_PLAN

UNLIMITED = -1

sql = db.queries("cofounder_server.billing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a plan gives. `UNLIMITED` stands for no limit."""

    plan_slug: str
    price_microdollars: int  # a month
    builds_a_day: int
    concurrent_user: int
    concurrent_project: int
    tokens_a_day: int
    head_start_seconds: int
    # A model for each role that the plan decides on.
    default_models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans as they stood when they were read, by their slugs."""

    _plans: Mapping[str, Plan]

    def __getitem__(self, slug: str) -> Plan:
        """Returns a plan; one that an operator took away gives what the default gives."""
        return self._plans.get(slug) or self._plans[DEFAULT_PLAN]

    def slugs(self) -> list[str]:
        """Returns the slugs of all plans there are."""
        return sorted(self._plans)

    def limits(self) -> dict[str, tuple[int, int]]:
        """Returns how many builds may run at once, by plan: of a user, and of a project. "" is any plan not named."""
        named = {slug: (plan.concurrent_user, plan.concurrent_project) for slug, plan in self._plans.items()}
        return named | {"": named[DEFAULT_PLAN]}


async def read(connection: db.Source) -> Plans:
    """Reads the plans."""
    rows = [dict(row) for row in await connection.fetch(sql.read_plans)]
    return Plans(
        {row["plan_slug"]: Plan(**row | {"default_models": json.loads(row["default_models"])}) for row in rows}
    )
