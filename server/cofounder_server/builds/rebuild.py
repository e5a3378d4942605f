"""Makes the queue's index again from Postgres."""

from cofounder_server import db
from cofounder_server.builds.model import State
from cofounder_server.builds.queue import Entry, Queue
from cofounder_server.builds.transitions import entry_of

sql = db.queries("cofounder_server.builds")


async def rebuild(source: db.Source, queue: Queue) -> bool:
    """Makes the index again, unless another just did (then False). Any number of processes may call it at once.

    What changes in Postgres while it is read here is missing from the index, or lies in it under a lease that nobody
    renews: the sweeper mends both.
    """
    waiting: list[Entry] = []
    held: list[tuple[Entry, str]] = []
    for row in await source.fetch(sql.list_alive):
        if row["state"] == State.QUEUED:
            waiting.append(entry_of(row))
        else:
            held.append((entry_of(row), row["lease_owner"]))
    return await queue.rebuild(waiting, held)
