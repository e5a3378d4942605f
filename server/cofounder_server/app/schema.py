"""The whole schema: our own migrations, and the tables that a library versions itself."""

from importlib import metadata

from cofounder_server import db

SAVER = "langgraph-checkpoint-postgres"


async def migrate(dsn: str) -> list[str]:
    """Brings a database up to this program's schema and returns the names of what was applied. See `db.migrate`."""
    return await db.migrate(dsn, {f"checkpoints of {SAVER} {metadata.version(SAVER)}": _saver})


async def _saver(dsn: str) -> None:
    # Imported only where there is something to do: it takes longer than all the rest of a start.
    from cofounder_server.agent import checkpoints

    await checkpoints.migrate(dsn)
