"""Who is asking, as a typed value that travels beside a call and never inside its data."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What kind of bearer a token speaks for."""

    USER = "user"
    # A gateway: may relay every build, and do nothing in anybody's name.
    SERVICE = "service"
    # Whoever holds a share link: may watch one project.
    SHARE_LINK = "share_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a verified token speaks for."""

    # The user's or the service's name; empty for a share link.
    user_id: str
    kind: Kind
    # What a development token claims the user's plan to be.
    plan_slug: str | None = None
    # The one project that a share link opens, and the link.
    project_id: UUID | None = None
    link_id: UUID | None = None
    expire_time: datetime

    @property
    def subject(self) -> str:
        """Returns who is counted and named in logs: `user:me`, `service:gateway`, `share_link:<id>`."""
        return f"{self.kind}:{self.link_id if self.kind is Kind.SHARE_LINK else self.user_id}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks in a call, and how to find out whether they still may."""

    identity: Identity
    # Verifies the call's token anew and returns whom it speaks for now; raises as `Door.verify`.
    again: Callable[[], Awaitable[Identity]] = field(repr=False)


_current: ContextVar[Caller] = ContextVar("caller")


def current() -> Identity:
    """Returns who asks in the call that runs now.

    Raises:
        LookupError: No call runs; a call without an identity never reaches a service.
    """
    return _current.get().identity


async def verify_again() -> Identity:
    """Returns whom the token of the call that runs now speaks for at this moment.

    Raises:
        Unauthenticated: It has ended or was revoked meanwhile.
        Suspended: Its user was.
    """
    return await _current.get().again()


@contextmanager
def speaking_for(caller: Caller) -> Iterator[None]:
    """Makes `caller` the current one until the block ends."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)
