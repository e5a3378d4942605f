"""How a build begins: durable in Postgres, with its first event, before anybody is told."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import structlog
from redis.exceptions import RedisError

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_lifecycle_pb2 import BuildAccepted
from cofounder_server import db, errors
from cofounder_server.builds import framing
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Stretch
from cofounder_server.builds.queue import Queue
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
    plan_slug: str
    goal: str
    request_id: UUID
    scenario: str = ""
    budget_microdollars: int = 0

    def digest(self) -> bytes:
        """Returns what tells this order from another under the same request id."""
        asked = [str(self.project_id), self.goal, self.scenario, self.budget_microdollars]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


class Starter:
    """Accepts builds.

    Args:
        rehearsal: True where the model's words are scripted: said in the build's first event.
        max_queued: How many builds may wait before new ones are refused.
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
    ) -> None:
        self._pool = pool
        self._log = log
        self._publisher = publisher
        self._queue = queue
        self._clock = clock
        self._rehearsal = rehearsal
        self._max_queued = max_queued

    async def start(self, order: Order) -> tuple[UUID, bool]:
        """Accepts a build; returns its id, and False if the request id was seen before.

        Row, head and BuildAccepted are one transaction. If Redis is away, the build is accepted all the same, and the
        sweeper puts it into the queue.

        Raises:
            RequestIdReused: The request id came with another order.
            QueueFull: Too many builds wait; nothing was changed.
        """
        if known := await self._known(order):
            return known, False
        waiting = await self._pool.fetchval(sql.count_waiting)
        if waiting >= self._max_queued:
            raise errors.QueueFull(queued=waiting, retry_after=FULL_RETRY_SECONDS)
        now = self._clock.now()
        build_id, priority = uuid7(now), int(now.timestamp() * 1000)
        stretch = await self._insert(build_id, order, now, priority)
        if stretch is None:
            known = await self._known(order)
            assert known is not None, "a conflicting row is gone, and builds are never deleted while they start"
            return known, False
        try:
            await self._queue.add(build_id, priority=priority)
        except (RedisError, OSError) as fault:
            logger.warning("build accepted, queue away", build_id=str(build_id), fault=type(fault).__name__)
        await self._publisher.publish([stretch])
        return build_id, True

    async def _known(self, order: Order) -> UUID | None:
        row = await self._pool.fetchrow(sql.find_request, order.creator_id, order.request_id)
        if row is None:
            return None
        if row["request_hash"] != order.digest():
            raise errors.RequestIdReused(str(order.request_id))
        build_id: UUID = row["build_id"]
        return build_id

    async def _insert(self, build_id: UUID, order: Order, now: datetime, priority: int) -> Stretch | None:
        rehearsal = self._rehearsal or bool(order.scenario)
        async with self._pool.acquire() as connection, connection.transaction():
            inserted = await connection.fetchval(
                sql.insert_build,
                build_id,
                order.project_id,
                order.creator_id,
                order.goal,
                order.request_id,
                order.digest(),
                order.plan_slug,
                order.scenario,
                order.budget_microdollars,
                rehearsal,
                priority,
                now,
            )
            if inserted is None:
                return None
            await connection.execute(sql.create_head, build_id)
            body = framing.encode([_accepted(order, rehearsal)], after=0, time=now)
            batch = Batch(build_id=build_id, append_id=uuid4(), expected=0, count=1, body=body)
            await self._log.append([batch], connection)
        return Stretch(build_id, 0, 1, body, over=False)


def _accepted(order: Order, rehearsal: bool) -> BuildEvent:
    accepted = BuildAccepted(
        project_id=str(order.project_id),
        goal=order.goal,
        plan_slug=order.plan_slug,
        rehearsal=rehearsal,
        scenario=order.scenario,
        budget_microdollars=order.budget_microdollars,
        creator_id=order.creator_id,
    )
    return BuildEvent(build_accepted=accepted)
