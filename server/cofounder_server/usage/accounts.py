"""Who pays: plan and settings as of now."""

import json

import asyncpg

from cofounder_server import db
from cofounder_server.identity.accounts import DEFAULT_PLAN
from cofounder_server.usage.limits import Account

sql = db.queries("cofounder_server.usage")


async def read(source: db.Source, user_id: str) -> Account:
    """Returns an account; one that was never heard of has the default plan and no overrides."""
    return account_of(await source.fetchrow(sql.read_payer, user_id, DEFAULT_PLAN))


def account_of(row: asyncpg.Record) -> Account:
    """Returns a row of `user_settings` as an account."""
    return Account(**dict(row) | {"override_models": json.loads(row["override_models"])})
