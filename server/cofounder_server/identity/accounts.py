"""What is known of a user besides the token: the plan, and whether the account is suspended."""

import asyncpg
from google.rpc import code_pb2

from cofounder.errors.v1 import error_reason_pb2
from cofounder_server import db, errors
from cofounder_server.identity.caller import Identity, Kind
from cofounder_server.identity.links import PREFIX, ShareLinks
from cofounder_server.identity.tokens import Verifier

DEFAULT_PLAN = "bootstrapper"

sql = db.queries("cofounder_server.identity")


class Suspended(errors.CofounderError):
    """The account is suspended."""

    code = code_pb2.PERMISSION_DENIED
    reason = error_reason_pb2.ERROR_REASON_SUSPENDED

    def __init__(self) -> None:
        super().__init__("This account is suspended, so nothing can be seen or done with it. Write to support.")


class NotAdmin(errors.CofounderError):
    """Only admins may do this."""

    code = code_pb2.PERMISSION_DENIED
    reason = error_reason_pb2.ERROR_REASON_ROLE_TOO_LOW

    def __init__(self) -> None:
        text = "This is for admins, and you are none. Ask one of them to do it."
        super().__init__(text, metadata={"role": "user", "needed": "admin"})


class Accounts:
    """The accounts in one Postgres database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def admit(self, identity: Identity) -> None:
        """Checks the account of a user, and writes down the plan that a development token claims.

        Raises:
            Suspended: The account is.
        """
        account = await self._pool.fetchrow(sql.read_account, identity.user_id)
        if account is not None and account["suspended"]:
            raise Suspended
        known = account["plan_slug"] if account is not None else None
        if identity.plan_slug is not None and identity.plan_slug != known:
            await self._pool.execute(sql.set_plan, identity.user_id, identity.plan_slug)

    async def is_admin(self, user_id: str) -> bool:
        """Tells whether the user is an admin as of now, whatever a token says."""
        return bool(await self._pool.fetchval(sql.read_admin, user_id))

    async def plan_of(self, user_id: str) -> str:
        """Returns the slug of the user's plan; everyone's is bootstrapper until something else is known."""
        account = await self._pool.fetchrow(sql.read_account, user_id)
        return str(account["plan_slug"]) if account is not None else DEFAULT_PLAN


class Door:
    """The one place where a token becomes an identity: sessions and services by their issuer, links by their hash."""

    def __init__(self, sessions: Verifier, links: ShareLinks, accounts: Accounts) -> None:
        self._sessions = sessions
        self._links = links
        self._accounts = accounts

    async def verify(self, token: str) -> Identity:
        """Returns whom the token speaks for just now.

        Raises:
            Unauthenticated: The token is not valid (any more).
            Suspended: Its user is suspended.
        """
        if token.startswith(PREFIX):
            return await self._links.verify(token)
        identity = await self._sessions.verify(token)
        if identity.kind is Kind.USER:
            await self._accounts.admit(identity)
        return identity
