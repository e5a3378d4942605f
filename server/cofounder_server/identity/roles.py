"""What a role allows. Pure: who has which role is the projects' to know."""

from enum import IntEnum
from uuid import UUID

from cofounder_server import errors
from cofounder_server.identity.caller import Identity, Kind


class Role(IntEnum):
    """A role in a project; each may do all that the ones below it may. The numbers are those of the contract."""

    VIEWER = 1
    EDITOR = 2
    OWNER = 3

    @property
    def word(self) -> str:
        return self.name.lower()


def role_in(identity: Identity, project_id: UUID, membership: Role | None) -> Role | None:
    """Returns what `identity` is in a project in which its user has the role `membership`.

    A share link is a viewer of its one project, whatever its maker is; a service has no role anywhere.
    """
    if identity.kind is Kind.USER:
        return membership
    if identity.kind is Kind.SHARE_LINK and identity.project_id == project_id:
        return Role.VIEWER
    return None


def demand(role: Role | None, needed: Role, *, resource: str, resource_id: UUID) -> Role:
    """Returns `role` if it is at least `needed`.

    Raises:
        NotFound: There is no role at all, which must look like a resource that does not exist (D-4).
        RoleTooLow: The role is too low.
    """
    if role is None:
        raise errors.NotFound(resource, str(resource_id))
    if role < needed:
        raise errors.RoleTooLow(role=role.word, needed=needed.word)
    return role


def demand_kind(identity: Identity, needed: Kind) -> Identity:
    """Returns `identity` if it is of the kind `needed`: some calls are for people only, some for services only.

    Raises:
        RoleTooLow: It is of another kind.
    """
    if identity.kind is not needed:
        raise errors.RoleTooLow(role=identity.kind.value, needed=needed.value)
    return identity
