"""Errors on their way out: a fault of whatever kind becomes one of ours, and ours ends the call."""

import secrets
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import redis.exceptions
import structlog
from grpc_status import rpc_status

from cofounder_server import db, errors

REDIS_UNREACHABLE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    # It cannot be subscripted where the program runs.
    Context = grpc.aio.ServicerContext

logger = structlog.get_logger(__name__)


def translate(fault: Exception) -> errors.CofounderError:
    """Returns what the client is told of `fault`, and logs what it is not told.

    Errors of ours pass. Of anything unexpected the client learns a debug id; the log line with the same id has the
    traceback (D-12).
    """
    if isinstance(fault, errors.CofounderError):
        return fault
    if isinstance(fault, (*REDIS_UNREACHABLE, *db.UNREACHABLE)):
        dependency = "Redis" if isinstance(fault, REDIS_UNREACHABLE) else "Postgres"
        logger.warning("dependency unavailable", dependency=dependency, exc_info=fault)
        return errors.DependencyUnavailable(dependency)
    debug_id = secrets.token_hex(8)
    logger.error("internal error", debug_id=debug_id, exc_info=fault)
    return errors.Internal(debug_id)


async def abort(context: Context, error: errors.CofounderError) -> NoReturn:
    """Ends the call with the error's status and its details."""
    # It is there, though its types do not know it.
    await context.abort_with_status(rpc_status.to_status(errors.to_status(error)))  # type: ignore[attr-defined]
    raise AssertionError("abort returned")
