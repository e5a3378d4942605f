"""The check before every RPC: what the caller is in the project that the request is about."""

from uuid import UUID

from cofounder_server import errors
from cofounder_server.builds.read import Builds
from cofounder_server.identity import caller, roles
from cofounder_server.identity.caller import Identity
from cofounder_server.identity.roles import Role
from cofounder_server.projects.store import Projects


class Access:
    """Tells what the caller may do. What is foreign is answered as what does not exist (D-4)."""

    def __init__(self, projects: Projects, builds: Builds) -> None:
        self._projects = projects
        self._builds = builds

    async def to_project(self, project_id: UUID, needed: Role) -> Role:
        """Returns the caller's role in the project. Raises NotFound or RoleTooLow."""
        role = await self._projects.role_of(caller.current(), project_id)
        return roles.demand(role, needed, resource="project", resource_id=project_id)

    async def to_build(self, build_id: UUID, needed: Role, *, identity: Identity | None = None) -> Role:
        """Returns the role of the caller, or of `identity`, in the build's project. Raises NotFound or RoleTooLow."""
        project_id = await self._builds.project_of(build_id)
        if project_id is None:
            raise errors.NotFound("build", str(build_id))
        role = await self._projects.role_of(identity or caller.current(), project_id)
        return roles.demand(role, needed, resource="build", resource_id=build_id)
