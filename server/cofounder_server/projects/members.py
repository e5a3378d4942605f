"""The members of a project. Its owner is one of them, and stays it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from cofounder_server import clock, db, errors
from cofounder_server.identity.roles import Role

sql = db.queries("cofounder_server.projects")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role."""

    user_id: str
    role: Role
    create_time: datetime


class Members:
    """The members of the projects in one Postgres database. Callers have been checked before."""

    def __init__(self, pool: asyncpg.Pool, *, wall: clock.Clock) -> None:
        self._pool = pool
        self._clock = wall

    async def set(self, project_id: UUID, user_id: str, role: Role) -> Member:
        """Gives a user the role, or changes theirs to it.

        Raises:
            InvalidRequest: The user is the owner, or the role would make a second one.
        """
        if role is Role.OWNER:
            raise errors.InvalidRequest({"role": "must be viewer or editor: a project has one owner"})
        row = await self._pool.fetchrow(sql.set_member, project_id, user_id, role.word, self._clock.now())
        if row is None:
            raise _is_owner()
        return _member(row)

    async def remove(self, project_id: UUID, user_id: str) -> None:
        """Takes a user's role away; one who has none is no error.

        Raises:
            InvalidRequest: The user is the owner.
        """
        removed = await self._pool.execute(sql.remove_member, project_id, user_id)
        if removed == "DELETE 0" and await self._pool.fetchval(sql.read_role, project_id, user_id) == "owner":
            raise _is_owner()

    async def list(self, project_id: UUID, *, after: str, limit: int) -> Sequence[Member]:
        """Returns up to `limit` members whose ids come after `after`, by id."""
        return [_member(row) for row in await self._pool.fetch(sql.list_members, project_id, after, limit)]


def _member(row: asyncpg.Record) -> Member:
    return Member(row["user_id"], Role[row["role"].upper()], row["create_time"])


def _is_owner() -> errors.InvalidRequest:
    return errors.InvalidRequest({"user_id": "is the project's owner, whose role can be neither changed nor taken"})
