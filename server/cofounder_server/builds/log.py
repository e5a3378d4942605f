"""The log: append under the fence, read from a cursor. Nothing else writes or reads its tables.

An append is one statement that decides for each build by itself (see the query `append`): compare-and-append on the
head, under the generation, and only while there is no terminal event. What it answers with `ok` is committed, with
fsync, before anybody is told.
"""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from cofounder_server import db
from cofounder_server.builds import framing
from cofounder_server.builds.model import Batch, Head, Outcome, Stretch, Verdict

sql = db.queries("cofounder_server.builds")

READ_BYTES = 256 * 1024  # what one read returns at most, the first batch excepted


class Log:
    """The builds' logs in one Postgres database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def append(self, batches: Sequence[Batch], connection: db.Connection | None = None) -> list[Outcome]:
        """Appends one batch to each of several builds, and tells for each what became of it.

        With a `connection`, the append is part of its transaction; else it is its own. When this raises, some or all
        of the batches may have been committed: find out by `found`, never append again blindly.
        """
        columns = zip(
            *(
                (b.build_id, b.expected, b.count, b.generation, b.append_id, b.body, b.seals, b.snapshot)
                for b in batches
            ),
            strict=True,
        )
        rows = await (connection or self._pool).fetch(sql.append, *map(list, columns))
        outcomes = {row["build_id"]: Outcome(Verdict(row["verdict"]), row["head"] or 0) for row in rows}
        return [outcomes[batch.build_id] for batch in batches]

    async def found(self, append_id: UUID) -> int | None:
        """Returns the last sequence of a batch whose acknowledgement was lost, or None: it was never committed."""
        row = await self._pool.fetchrow(sql.find_append, append_id)
        return row["last_sequence"] if row else None

    async def head(self, build_id: UUID) -> Head | None:
        """Returns where a build's log stands, or None if there is no such build."""
        row = await self._pool.fetchrow(sql.read_head, build_id)
        return Head(**row) if row else None

    async def heads(self, build_ids: Sequence[UUID]) -> dict[UUID, tuple[int, bool]]:
        """Returns head and `sealed` of many builds in one statement."""
        rows = await self._pool.fetch(sql.poll_heads, list(build_ids))
        return {row["build_id"]: (row["head"], row["sealed"]) for row in rows}

    async def read(self, build_id: UUID, *, after: int, max_bytes: int = READ_BYTES) -> Stretch:
        """Returns what follows `after`, up to about `max_bytes`, one batch at least; empty at the log's end.

        A fork's log begins with its parent's, up to where it left it: the same bytes under the same sequences.

        Raises:
            LookupError: The batches returned do not begin at `after + 1`: they were taken away.
        """
        # The head is read first: `over` may then be told too late, but never too early.
        head = await self.head(build_id)
        if head is not None and head.parent_id is not None and after < head.parent_through:
            shared = await self.read(head.parent_id, after=after, max_bytes=max_bytes)
            return _cut(shared, build_id, head.parent_through)
        rows = await self._pool.fetch(sql.read_batches, build_id, after, max_bytes)
        if not rows or head is None:
            return Stretch(build_id, after, after, b"", over=head is not None and head.sealed and after == head.head)
        first, last = rows[0]["first_sequence"], rows[-1]["last_sequence"]
        if first > after + 1:
            raise LookupError(f"log of {build_id} reads {first} after {after}")
        # A cursor may stand inside a batch: cut there.
        bodies = [framing.skip(rows[0]["body"], after + 1 - first), *(row["body"] for row in rows[1:])]
        return Stretch(build_id, after, last, b"".join(bodies), over=head.sealed and last == head.head)


def _cut(stretch: Stretch, build_id: UUID, through: int) -> Stretch:
    """Returns what a fork shares of a stretch of its parent: nothing after `through`, and never its end."""
    body, last = stretch.body, min(stretch.last, through)
    if last < stretch.last:
        body = body[: len(body) - len(framing.skip(body, last - stretch.after))]
    return Stretch(build_id, stretch.after, last, body, over=False)
