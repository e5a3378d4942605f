"""The queue's index in Redis: which builds wait, in which order, and which worker holds which.

Postgres holds the builds; this can be emptied at any time and is made again from there. All keys share the tag
`{queue}`, so that a cluster keeps them together and a script may touch them at once.

    {queue}:ready   sorted set: build id → priority
    {queue}:leases  sorted set: build id → when its lease ends, in milliseconds by the clock of Redis
    {queue}:owners  hash: build id → the lease's owner token
    {queue}:bell    list of tokens: one for each build added, so that waiting workers wake
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from uuid import UUID

import redis.asyncio as redis
from redis.commands.core import AsyncScript

READY, LEASES, OWNERS = "{queue}:ready", "{queue}:leases", "{queue}:owners"
BELL = "{queue}:bell"


@dataclass(frozen=True, slots=True)
class Contents:
    """What the index holds: builds that wait, and leases by whether they have run out."""

    ready: frozenset[UUID]
    held: frozenset[UUID]
    expired: frozenset[UUID]

    def knows(self, build_id: UUID) -> bool:
        return build_id in self.ready or build_id in self.held or build_id in self.expired


class Queue:
    """The index. Every method raises redis errors when Redis is away; nothing is lost by that."""

    def __init__(self, client: redis.Redis, *, lease_seconds: float) -> None:
        self._client = client
        self._lease_milliseconds = max(1, round(lease_seconds * 1000))
        self._add = self._script("add")
        self._claim = self._script("claim")
        self._renew = self._script("renew")
        self._release = self._script("release")
        self._seize = self._script("seize")
        self._give_back = self._script("give_back")

    def _script(self, name: str) -> AsyncScript:
        source = resources.files("cofounder_server.builds") / f"{name}.lua"
        return self._client.register_script(source.read_text())

    async def add(self, build_id: UUID, *, priority: int) -> None:
        """Puts a build into the queue, at its place. Adding one that waits or is held changes nothing."""
        await self._add(keys=[READY, LEASES, BELL], args=[str(build_id), priority])

    async def claim(self, owner: str) -> UUID | None:
        """Takes the first build that waits, and its lease, in one step; None if none waits."""
        build_id = await self._claim(keys=[READY, LEASES, OWNERS], args=[owner, self._lease_milliseconds])
        return UUID(build_id.decode()) if build_id else None

    async def renew(self, build_id: UUID, owner: str) -> bool:
        """Prolongs a lease. False if somebody else holds it now.

        A lease that Redis forgot is made again, and the build is taken out of the waiting ones: the fence in
        Postgres decides whether its holder may still append.
        """
        return bool(await self._renew(keys=[READY, LEASES, OWNERS], args=self._lease(build_id, owner)))

    async def give_back(self, build_id: UUID, owner: str, *, priority: int) -> None:
        """Puts a build that the caller holds back to its place in the queue. Does nothing to somebody else's."""
        await self._give_back(keys=[READY, LEASES, OWNERS, BELL], args=[str(build_id), owner, priority])

    async def seize(self, build_id: UUID, owner: str) -> bool:
        """Takes over a build that nobody holds and that does not wait: its lease ran out or was forgotten.

        False if it does wait or is held; of several who try at once, one gets True. Its former holder can renew no
        more.
        """
        return bool(await self._seize(keys=[READY, LEASES, OWNERS], args=self._lease(build_id, owner)))

    def _lease(self, build_id: UUID, owner: str) -> list[str | int]:
        return [str(build_id), owner, self._lease_milliseconds]

    async def release(self, build_id: UUID, owner: str) -> None:
        """Gives a lease back. Does nothing to somebody else's."""
        await self._release(keys=[LEASES, OWNERS], args=[str(build_id), owner])

    async def forget(self, build_id: UUID) -> None:
        """Takes a build that is over out of the index, leases included."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.zrem(READY, str(build_id))
            pipeline.zrem(LEASES, str(build_id))
            pipeline.hdel(OWNERS, str(build_id))
            await pipeline.execute()

    async def contents(self) -> Contents:
        """Returns what the index holds, as of one moment."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.zrange(READY, 0, -1)
            pipeline.zrange(LEASES, 0, -1, withscores=True)
            pipeline.time()
            ready, leases, (seconds, microseconds) = await pipeline.execute()
        now = seconds * 1000 + microseconds / 1000
        ends: Mapping[UUID, float] = {UUID(member.decode()): score for member, score in leases}
        return Contents(
            ready=frozenset(UUID(member.decode()) for member in ready),
            held=frozenset(build_id for build_id, end in ends.items() if end > now),
            expired=frozenset(build_id for build_id, end in ends.items() if end <= now),
        )

    async def wait(self, seconds: float) -> None:
        """Returns when a build was added, at the latest after `seconds`."""
        await self._client.blpop([BELL], timeout=seconds)
