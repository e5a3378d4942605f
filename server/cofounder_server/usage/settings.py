"""What admins decide about a user. No change is made without a record of who made it, and why."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from cofounder_server import db, errors
from cofounder_server.billing import plans
from cofounder_server.clock import Clock
from cofounder_server.identity.accounts import DEFAULT_PLAN
from cofounder_server.usage import accounts
from cofounder_server.usage.limits import Account

sql = db.queries("cofounder_server.usage")

# Who changed what by the server's own command line: no token can speak for it as an admin.
OPERATOR = "(operator)"


class Settings:
    """The settings of users, and the one writer of `settings_changes`."""

    def __init__(self, pool: asyncpg.Pool, *, wall: Clock, new_id: Callable[[datetime], UUID]) -> None:
        self._pool = pool
        self._wall = wall
        self._new_id = new_id

    async def read(self, user_id: str) -> Account:
        """Returns a user's settings as of now; those of one who was never heard of are the default ones."""
        return await accounts.read(self._pool, user_id)

    async def set(self, wanted: Account, *, admin_id: str, reason: str) -> Account:
        """Puts the whole of `wanted` in place of a user's settings, and returns them.

        Raises:
            InvalidRequest: There is no such plan.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            known = (await plans.read(connection)).slugs()
            if wanted.plan_slug not in known:
                raise errors.InvalidRequest({"settings.plan_slug": f"must be one of {', '.join(known)}"})
            await self._change(connection, await _locked(connection, wanted.user_id), wanted, admin_id, reason)
        return wanted

    async def set_admin(self, user_id: str, *, admin: bool, reason: str) -> bool:
        """Makes somebody an admin, or no longer one, in an operator's name; False if they were that already."""
        async with self._pool.acquire() as connection, connection.transaction():
            former = await _locked(connection, user_id)
            if former.admin is admin:
                return False
            await self._change(connection, former, replace(former, admin=admin), OPERATOR, reason)
        return True

    async def _change(
        self, connection: db.Connection, former: Account, present: Account, admin_id: str, reason: str
    ) -> None:
        await connection.execute(
            sql.set_settings,
            present.user_id,
            present.plan_slug,
            present.suspended,
            present.admin,
            json.dumps(dict(present.override_models)),
            present.override_tokens_per_day,
        )
        now = self._wall.now()
        written = [json.dumps(asdict(account)) for account in (former, present)]
        await connection.execute(sql.record_change, self._new_id(now), present.user_id, admin_id, reason, *written, now)


async def _locked(connection: db.Connection, user_id: str) -> Account:
    """Returns the settings that nobody else changes until the transaction ends."""
    await connection.execute(sql.make_settings, user_id, DEFAULT_PLAN)
    return accounts.account_of(await connection.fetchrow(sql.lock_settings, user_id))
