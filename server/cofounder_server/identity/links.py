"""Tokens of share links: random, handed out once, kept as a hash."""

import hashlib
import re
import secrets

import asyncpg

from cofounder_server import clock, db, errors
from cofounder_server.identity.caller import Identity, Kind

PREFIX = "cfs_"
SECRET_BYTES = 32

_SHAPE = re.compile(r"cfs_[A-Za-z0-9_-]{43}")

sql = db.queries("cofounder_server.identity")


def new_token() -> str:
    """Returns a new token."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def token_hash(token: str) -> bytes:
    """Returns what is kept of a token. It is random and long: a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


class ShareLinks:
    """Verifies tokens of share links."""

    def __init__(self, pool: asyncpg.Pool, *, wall: clock.Clock) -> None:
        self._pool = pool
        self._clock = wall

    async def verify(self, token: str) -> Identity:
        """Returns the link as an identity; Unauthenticated if it is unknown, revoked or over, alike."""
        if not _SHAPE.fullmatch(token):
            raise errors.Unauthenticated
        link = await self._pool.fetchrow(sql.find_share_link, token_hash(token))
        if link is None or link["expire_time"] <= self._clock.now():
            raise errors.Unauthenticated
        return Identity(
            user_id="",
            kind=Kind.SHARE_LINK,
            project_id=link["project_id"],
            link_id=link["link_id"],
            expire_time=link["expire_time"],
        )
