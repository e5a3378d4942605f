"""How a build begins: durable in Postgres, with its first event, before anybody is told."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import structlog
from redis.exceptions import RedisError

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_pb2 import BuildOrigin
from cofounder.runner.v1.event_lifecycle_pb2 import BuildAccepted
from cofounder_server import db, errors
from cofounder_server.billing import plans
from cofounder_server.billing.plans import Plan
from cofounder_server.builds import days, framing
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Stretch
from cofounder_server.builds.queue import Entry, Queue
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock

sql = db.queries("cofounder_server.builds")
logger = structlog.get_logger(__name__)

# Seconds after which a full queue is worth another try.
FULL_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A build as it is asked for, checked already."""

    creator_id: str
    project_id: UUID
    # Whose plan pays, and takes the permits: the project's owner.
    payer_id: str
    plan_slug: str
    goal: str
    request_id: UUID
    scenario: str = ""
    budget_microdollars: int = 0
    # A fork's parent, and the sequence it was asked to leave it at; 0: the end of its log.
    fork_of: tuple[UUID, int] | None = None

    def digest(self) -> bytes:
        """Returns what tells this order from another under the same request id."""
        asked: list[object] = [str(self.project_id), self.goal, self.scenario, self.budget_microdollars]
        if self.fork_of is not None:
            asked += [str(self.fork_of[0]), self.fork_of[1]]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


class Starter:
    """Accepts builds.

    Args:
        rehearsal: True where the model's words are scripted: said in the build's first event.
        max_queued: How many builds may wait before new ones are refused.
        day_spread_seconds: Builds put off to another day begin within so many seconds after midnight UTC.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        log: Log,
        publisher: Publisher,
        queue: Queue,
        clock: Clock,
        *,
        rehearsal: bool,
        max_queued: int,
        day_spread_seconds: float = 900.0,
    ) -> None:
        self._pool = pool
        self._log = log
        self._publisher = publisher
        self._queue = queue
        self._clock = clock
        self._rehearsal = rehearsal
        self._max_queued = max_queued
        self._day_spread_seconds = day_spread_seconds

    async def start(self, order: Order) -> tuple[UUID, bool]:
        """Accepts a build; returns its id, and False if the request id was seen before.

        Row, head and BuildAccepted are one transaction. Over the plan's builds of the day it is scheduled for the
        next day that has one left. If Redis is away, the build is accepted all the same, and the
        sweeper puts it into the queue.

        Raises:
            RequestIdReused: The request id came with another order.
            QueueFull: Too many builds wait; nothing was changed.
            QuotaExceeded: The plan's builds of the coming days are spent too; nothing was changed.
        """
        if known := await known_as(self._pool, order):
            return known, False
        waiting = await self._pool.fetchval(sql.count_waiting)
        if waiting >= self._max_queued:
            raise errors.QueueFull(queued=waiting, retry_after=FULL_RETRY_SECONDS)
        now = self._clock.now()
        accepted = await self._accept(uuid7(now), order, now)
        if accepted is None:
            known = await known_as(self._pool, order)
            assert known is not None, "a conflicting row is gone, and builds are never deleted while they start"
            return known, False
        stretch, entry = accepted
        await announce(self._queue, self._publisher, entry, stretch)
        return stretch.build_id, True

    async def _accept(self, build_id: UUID, order: Order, now: datetime) -> tuple[Stretch, Entry | None] | None:
        """Writes the build down with its first event; None if the request id was seen meanwhile.

        Returns what the log gained and, unless the build is scheduled for a later day, its place in the queue.
        """
        rehearsal = self._rehearsal or bool(order.scenario)
        async with self._pool.acquire() as connection, connection.transaction():
            plan = (await plans.read(connection))[order.plan_slug]
            place = place_of(now, plan)
            if not await write_down(connection, build_id, order, rehearsal=rehearsal, place=place, now=now):
                return None
            start_after = await self._take_day(connection, build_id, order, plan, now)
            await connection.execute(sql.create_head, build_id)
            body = framing.encode(
                [accepted_event(order, rehearsal=rehearsal, start_after=start_after)], after=0, time=now
            )
            batch = Batch(build_id=build_id, append_id=uuid4(), expected=0, count=1, body=body)
            await self._log.append([batch], connection)
        entry = Entry(build_id, place, order.payer_id, order.project_id, order.plan_slug)
        return Stretch(build_id, 0, 1, body, over=False), None if start_after else entry

    async def _take_day(
        self, connection: db.Connection, build_id: UUID, order: Order, plan: Plan, now: datetime
    ) -> datetime | None:
        """Takes one of the plan's builds of a day; returns when the build joins the queue if that is not today."""
        day = await days.take(connection, order.payer_id, plan, now)
        await connection.execute(sql.set_day, build_id, day)
        if day == now.astimezone(UTC).date():
            return None
        start_after = days.start_of(day, build_id, spread_seconds=self._day_spread_seconds)
        await connection.execute(sql.schedule_build, build_id, start_after, place_of(start_after, plan))
        return start_after


def place_of(time: datetime, plan: Plan) -> int:
    """Returns the place in the queue of a build that joins it at `time`: who pays more has a head start of seconds,
    so that waiting is bounded for everybody."""
    return int(time.timestamp() * 1000) - plan.head_start_seconds * 1000


async def known_as(source: db.Source, order: Order) -> UUID | None:
    """Returns the build that an order led to before; None if it did not. Raises RequestIdReused."""
    row = await source.fetchrow(sql.find_request, order.creator_id, order.request_id)
    if row is None:
        return None
    if row["request_hash"] != order.digest():
        raise errors.RequestIdReused(str(order.request_id))
    build_id: UUID = row["build_id"]
    return build_id


async def write_down(
    connection: db.Connection, build_id: UUID, order: Order, *, rehearsal: bool, place: int, now: datetime
) -> bool:
    """Writes a build's row in the connection's transaction; False if the request id was seen meanwhile."""
    inserted = await connection.fetchval(
        sql.insert_build,
        build_id,
        order.project_id,
        order.creator_id,
        order.payer_id,
        order.goal,
        order.request_id,
        order.digest(),
        order.plan_slug,
        order.scenario,
        order.budget_microdollars,
        rehearsal,
        place,
        now,
    )
    return inserted is not None


async def announce(queue: Queue, publisher: Publisher, entry: Entry | None, stretch: Stretch) -> None:
    """Tells the queue, if the build has a place there, and the watchers. Should Redis be away, the sweeper and the
    polls do."""
    if entry is not None:
        try:
            await queue.add(entry)
        except (RedisError, OSError) as fault:
            logger.warning("build accepted, queue away", build_id=str(entry.build_id), fault=type(fault).__name__)
    await publisher.publish([stretch])


def accepted_event(
    order: Order, *, rehearsal: bool, start_after: datetime | None = None, origin: BuildOrigin | None = None
) -> BuildEvent:
    """Returns a build's first event of its own."""
    accepted = BuildAccepted(
        project_id=str(order.project_id),
        goal=order.goal,
        plan_slug=order.plan_slug,
        rehearsal=rehearsal,
        scenario=order.scenario,
        budget_microdollars=order.budget_microdollars,
        creator_id=order.creator_id,
        origin=origin,
    )
    if start_after is not None:
        accepted.start_after_time.FromDatetime(start_after)
    return BuildEvent(build_accepted=accepted)
