"""Projects in Postgres: made once per request, found by role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg

from cofounder_server import clock, db, errors
from cofounder_server.identity import roles
from cofounder_server.identity.caller import Identity, Kind
from cofounder_server.identity.roles import Role

FIRST_TITLE = "My first project"
# The request id of the project that is made for somebody who has none: the same for all, so that it is made once.
FIRST_REQUEST = uuid5(NAMESPACE_URL, "cofounder:first-project")

sql = db.queries("cofounder_server.projects")


@dataclass(frozen=True, slots=True)
class Project:
    """A project as one caller sees it: `role` is theirs."""

    project_id: UUID
    title: str
    owner_id: str
    create_time: datetime
    role: Role


class Projects:
    """The projects in one Postgres database.

    Args:
        new_id: Makes ids that sort by the time they were made.
    """

    def __init__(self, pool: asyncpg.Pool, *, wall: clock.Clock, new_id: Callable[[datetime], UUID]) -> None:
        self._pool = pool
        self._clock = wall
        self._new_id = new_id

    async def create(self, owner_id: str, *, title: str, request_id: UUID) -> Project:
        """Returns a new project, or the one that `request_id` made before, however many ask at once.

        Raises:
            RequestIdReused: The one it made has another title.
        """
        project = await self._create(owner_id, title, request_id)
        if project.title != title:
            raise errors.RequestIdReused(str(request_id))
        return project

    async def first(self, owner_id: str) -> Project:
        """Returns the oldest project that the user owns; one is made if there is none, exactly one."""
        row = await self._pool.fetchrow(sql.first_project, owner_id)
        return _project(row) if row else await self._create(owner_id, FIRST_TITLE, FIRST_REQUEST)

    async def _create(self, owner_id: str, title: str, request_id: UUID) -> Project:
        now = self._clock.now()
        row = await self._pool.fetchrow(sql.create_project, self._new_id(now), title, owner_id, request_id, now)
        # A statement of its own: one that runs at once with the other's commit may see neither row.
        row = row or await self._pool.fetchrow(sql.find_project_by_request, owner_id, request_id)
        return _project(row)

    async def get(self, identity: Identity, project_id: UUID) -> Project | None:
        """Returns the project, or None if it does not exist or the caller has no role in it."""
        role = await self.role_of(identity, project_id)
        row = await self._pool.fetchrow(sql.read_project, project_id) if role else None
        return Project(**row, role=role) if row and role else None

    async def owner_of(self, project_id: UUID) -> str | None:
        """Returns whose plan and budget pay for the project, or None if it does not exist."""
        row = await self._pool.fetchrow(sql.read_project, project_id)
        return str(row["owner_id"]) if row else None

    async def list(self, identity: Identity, *, before: UUID | None, limit: int) -> Sequence[Project]:
        """Returns up to `limit` projects in which the caller has a role, newest first, from before `before` on."""
        if identity.kind is not Kind.USER:
            only = await self.get(identity, identity.project_id) if identity.project_id and not before else None
            return [only] if only else []
        rows = await self._pool.fetch(sql.list_projects, identity.user_id, before, limit)
        return [_project(row) for row in rows]

    async def ids(self, identity: Identity) -> Sequence[UUID]:
        """Returns every project in which the caller has a role, in no order."""
        if identity.kind is not Kind.USER:
            return [identity.project_id] if identity.project_id else []
        return [row["project_id"] for row in await self._pool.fetch(sql.list_project_ids, identity.user_id)]

    async def role_of(self, identity: Identity, project_id: UUID) -> Role | None:
        """Returns what the caller is in the project; None also if there is no such project."""
        if identity.kind is not Kind.USER:
            return roles.role_in(identity, project_id, None)
        word = await self._pool.fetchval(sql.read_role, project_id, identity.user_id)
        return roles.role_in(identity, project_id, Role[word.upper()] if word else None)


def _project(row: asyncpg.Record) -> Project:
    return Project(**{**row, "role": Role[row["role"].upper()]})
