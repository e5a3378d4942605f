"""The share links of a project: who holds one may watch until it expires or is revoked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from cofounder_server import clock, db, errors
from cofounder_server.identity import links

DEFAULT_LIFETIME = timedelta(days=7)
LONGEST_LIFETIME = timedelta(days=90)

sql = db.queries("cofounder_server.projects")


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A link, without its token."""

    link_id: UUID
    expire_time: datetime
    creator_id: str


class Sharing:
    """The share links of the projects in one Postgres database. Callers have been checked before."""

    def __init__(self, pool: asyncpg.Pool, *, wall: clock.Clock, new_id: Callable[[datetime], UUID]) -> None:
        self._pool = pool
        self._clock = wall
        self._new_id = new_id

    async def create(
        self, project_id: UUID, *, creator_id: str, expire_time: datetime | None = None
    ) -> tuple[ShareLink, str]:
        """Returns a new link and its token, which is kept nowhere. Without `expire_time` it lasts seven days.

        Raises:
            InvalidRequest: `expire_time` is past, or more than ninety days ahead.
        """
        now = self._clock.now()
        expire_time = expire_time or now + DEFAULT_LIFETIME
        if not now < expire_time <= now + LONGEST_LIFETIME:
            raise errors.InvalidRequest({"expire_time": "must lie ahead, at most 90 days"})
        link, token = ShareLink(self._new_id(now), expire_time, creator_id), links.new_token()
        await self._pool.execute(
            sql.create_share_link, link.link_id, project_id, links.token_hash(token), creator_id, expire_time, now
        )
        return link, token

    async def list(self, project_id: UUID, *, before: UUID | None, limit: int) -> Sequence[ShareLink]:
        """Returns up to `limit` links that were not revoked, newest first, from before `before` on."""
        rows = await self._pool.fetch(sql.list_share_links, project_id, before, limit)
        return [ShareLink(**row) for row in rows]

    async def revoke(self, project_id: UUID, link_id: UUID) -> None:
        """Ends a link, at once and for good.

        Raises:
            NotFound: The project has no such link.
        """
        if await self._pool.fetchval(sql.revoke_share_link, project_id, link_id, self._clock.now()) is None:
            raise errors.NotFound("share link", str(link_id))
