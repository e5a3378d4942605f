"""The metered calls of a payer, as rows of the ledger and as sums: what was asked, and what the user pays for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

import asyncpg

from cofounder.usage.v1 import usage_service_pb2 as pb
from cofounder_server import db

sql = db.queries("cofounder_server.usage")

PAGE_ROWS = 200
# Keys of a summary that have a row of their own; what more there are is summed up.
MOST_KEYS = 1000

Dimension = Literal["day", "model", "role", "build"]


@dataclass(frozen=True, slots=True)
class Span:
    """UTC days, both ends included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands in the ledger: by the day it counts for, then by the order in which it was asked."""

    day: date
    ledger_id: UUID

    def to_bytes(self) -> bytes:
        return self.day.toordinal().to_bytes(4) + self.ledger_id.bytes

    @classmethod
    def from_bytes(cls, key: bytes) -> "Place":
        """Returns the place that `to_bytes` was made of."""
        return cls(date.fromordinal(int.from_bytes(key[:4])), UUID(bytes=key[4:]))


BEFORE_ALL = UUID(int=0)
NEWEST = Place(date.max, UUID(int=2**128 - 1))


class Records:
    """Reads what the ledger has of a payer. Calls under way are not in it, nor those of which nothing was asked."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list(
        self, payer_id: str, *, before: Place = NEWEST, build_id: UUID | None = None, limit: int
    ) -> Sequence[tuple[Place, pb.UsageRecord]]:
        """Returns up to `limit` calls before a place, newest first; only those of a build, if one is named."""
        rows = await self._pool.fetch(sql.list_records, payer_id, before.day, before.ledger_id, build_id, limit)
        return [_record(row) for row in rows]

    async def export(self, payer_id: str, span: Span) -> AsyncIterator[Sequence[pb.UsageRecord]]:
        """Yields all calls of some days, oldest first, in pages of up to `PAGE_ROWS`.

        Each page is a statement of its own: whoever reads slowly holds no connection.
        """
        after = Place(span.first, BEFORE_ALL)
        while True:
            rows = await self._pool.fetch(
                sql.export_records, payer_id, after.day, after.ledger_id, span.last, PAGE_ROWS
            )
            if not rows:
                return
            page = [_record(row) for row in rows]
            yield [record for _, record in page]
            after = page[-1][0]

    async def summarize(self, payer_id: str, span: Span, dimension: Dimension) -> Sequence[pb.UsageSum]:
        """Returns what the payer's calls of some days came to, by `dimension`, in the order of the keys.

        The sums are the same by every dimension. Those of the days are what the limits of these days counted, less
        what was given back.
        """
        rows = await self._pool.fetch(sql.summarize, payer_id, span.first, span.last, dimension, MOST_KEYS)
        return [pb.UsageSum(**dict(row)) for row in rows]


def _record(row: asyncpg.Record) -> tuple[Place, pb.UsageRecord]:
    fields = dict(row)
    place = Place(fields.pop("day"), fields["ledger_id"])
    create_time = fields.pop("create_time")
    for name in ("ledger_id", "build_id", "project_id"):
        fields[name] = str(fields[name] or "")
    record = pb.UsageRecord(**fields)
    record.create_time.FromDatetime(create_time)
    return place, record
