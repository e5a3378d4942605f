"""The queue and the log without one of their guards each: what the checks are there to catch. Never in production."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import redis.asyncio as redis

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import UsageRecorded
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder_server import db
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Batch, Outcome
from cofounder_server.builds.queue import LEASES, OWNERS, READY, TAG, WAITING, Limits, Queue
from cofounder_server.builds.read import Builds
from cofounder_server.clock import WallClock
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.writer import Writer
from cofounder_testkit import aftermath, crowd
from cofounder_testkit.checker import PromiseBroken
from cofounder_testkit.crew import Base
from cofounder_testkit.ledger import Noted

CLAIMS = f"{TAG}:claims"
ANY = {"": (-1, -1)}


class PopThenLease(Queue):
    """Takes a build in one step and its lease in another."""

    async def claim(self, owner: str, limits: Limits) -> UUID | None:
        del limits
        popped: Any = await self._client.zpopmin(READY)
        for member, _ in popped:
            await self._client.zrem(WAITING, member)
            await self._client.hset(OWNERS, member, owner)
            await self._client.hset(CLAIMS, owner, member)
            await self._client.zadd(LEASES, {member.decode(): 2**53})
            return UUID(member.decode())
        return None


class CheckThenAdd(Noted):
    """Looks in one step whether there is a permit, and takes it in another."""

    async def claim(self, owner: str, limits: Limits) -> UUID | None:
        ready: Any = await self._client.zrange(READY, 0, 0)
        for member in ready:
            entry = self.ledger.entries[UUID(member.decode())]
            holders = (f"user:{entry.payer_id}", f"project:{entry.project_id}")
            held = [await self._client.zcard(f"{TAG}:{holder}") for holder in holders]
            if all(limit < 0 or have < limit for have, limit in zip(held, limits[entry.plan_slug], strict=True)):
                # Between the look and this, others look.
                return await super().claim(owner, ANY)
        return await super().claim(owner, limits)


class NewPlace(Noted):
    """Puts a build that is given back behind all others."""

    async def give_back(self, build_id: UUID, owner: str, *, place: int) -> None:
        last = max(entry.place for entry in self.ledger.entries.values())
        await super().give_back(build_id, owner, place=max(place, last) + 1)


class Unfenced(Log):
    """Appends for whoever asks."""

    async def append(self, batches: Sequence[Batch], connection: db.Connection | None = None) -> list[Outcome]:
        return await super().append([replace(batch, generation=None) for batch in batches], connection)


class Killed(BaseException):
    """The worker is no more."""


class Mortal(redis.Redis):
    """A client whose process is killed after so many words with Redis."""

    words = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        answer: Any = await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        self.words -= 1
        if self.words == 0:
            raise Killed
        return answer


async def claim_and_die(base: Base, redis_url: str, queue: type[Queue]) -> None:
    """Has workers die after each of the words with Redis that a claim takes.

    Raises:
        PromiseBroken: After one of them a build was neither waiting nor held: nobody would ever play it.
    """
    [user] = await crowd.settle(base.pool, ["cto_scale"])
    for words in range(1, 100):
        [build_id] = await crowd.order(base, [user], every=1.0, seed=0)
        client: Any = Mortal.from_url(redis_url)
        client.words = words
        try:
            await queue(client, lease_seconds=60).claim(f"mortal-{words}", ANY)
            return
        except Killed:
            if not (await base.queue.contents()).knows(build_id):
                raise PromiseBroken(f"nowhere: {build_id}, after word {words} of a claim") from None
        finally:
            await client.aclose()
            await base.queue.forget(build_id)
    raise AssertionError("a claim takes fewer words")


async def append_as_zombie(base: Base, log: Log) -> None:
    """Has a worker append after another took its build over.

    Raises:
        PromiseBroken: What it appended stands in the log.
    """
    [user] = await crowd.settle(base.pool, ["cto_scale"])
    [build_id] = await crowd.order(base, [user], every=1.0, seed=0)
    zombie = await base.transitions.begin_attempt(build_id, worker_id="zombie", owner="zombie")
    assert zombie is not None
    _, folded = await Builds(base.pool).get(build_id)
    await base.transitions.take_back(build_id, max_crashes=3)
    second = await base.transitions.begin_attempt(build_id, worker_id="second", owner="second")
    assert second is not None
    writer = Writer(build_id, generation=zombie.generation, attempt=1, folded=folded)
    await _append(writer, log, base)
    end = BuildEvent(attempt=2, build_succeeded=BuildSucceeded())
    await base.transitions.finish(build_id, generation=second.generation, append_id=build_id, events=[end])
    await base.queue.forget(build_id)
    await aftermath.ended(base.pool, build_id)


async def _append(writer: Writer, log: Log, base: Base) -> None:
    async with GroupCommit(log, base.publisher, WallClock()) as commit:
        commit.open(writer)
        await writer.append(BuildEvent(usage_recorded=UsageRecorded(generation_id="of a zombie")))
        commit.wake()
        with contextlib.suppress(LeaseLost):
            await writer.flush()
