"""Who is an admin, decided by an operator: the way to the first one."""

from cofounder_server import db
from cofounder_server.builds.ids import uuid7
from cofounder_server.clock import WallClock
from cofounder_server.rpc import usage_requests
from cofounder_server.rpc.requests import Check
from cofounder_server.settings import Settings
from cofounder_server.usage.settings import Settings as UserSettings


async def set_admin(settings: Settings, user_id: str, *, admin: bool, reason: str) -> None:
    """Makes a user an admin, or no longer one, and records it with the reason.

    Raises:
        InvalidRequest: The user or the reason can be nobody's.
        DependencyUnavailable, CannotConnectError: Postgres cannot be used.
    """
    check = Check()
    check.text("user", user_id, most=usage_requests.USER_ID_CHARACTERS)
    check.text("reason", reason, most=usage_requests.REASON_CHARACTERS)
    check.settle()
    pool = await db.open_pool(settings.database_url.get_secret_value(), size=1)
    try:
        users = UserSettings(pool, wall=WallClock(), new_id=uuid7)
        await users.set_admin(user_id, admin=admin, reason=reason)
    finally:
        await pool.close()
