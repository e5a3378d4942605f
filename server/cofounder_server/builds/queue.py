"""The queue's index in Redis: which builds wait, in which order, which worker holds which, and whose permits they take.

Postgres holds the builds; this can be emptied at any time and is made again from there. A restart of Redis, with
whatever it remembers, counts as emptied: until the index is made again nothing is claimed, so that no permit is given
twice. All keys share the tag `{queue}`, so that a cluster keeps them together and a script may touch them at once.

    {queue}:waiting              sorted set: build → place, in milliseconds since the epoch less the plan's head start
    {queue}:ready                sorted set: those of them that no limit is known to keep from running
    {queue}:jobs                 hash: build → JSON [who pays, project, plan]
    {queue}:leases               sorted set: build → when its lease ends, in milliseconds by the clock of Redis
    {queue}:owners, :claims      hashes: build → the lease's owner token, and back
    {queue}:user:…, :project:…   sorted sets: build → when its permit ends
    {queue}:blocked:user:…       sets: builds that wait for one of that user's, or that project's, to let go
    {queue}:bell                 list of tokens: one for each build that may run now, so that waiting workers wake
    {queue}:built                the run of Redis for which the index was made
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from uuid import UUID

import redis.asyncio as redis
from redis.commands.core import AsyncScript
from redis.exceptions import ResponseError

TAG = "{queue}"
WAITING, READY, LEASES, OWNERS, JOBS, BELL, BUILT = (
    f"{TAG}:{name}" for name in ("waiting", "ready", "leases", "owners", "jobs", "bell", "built")
)

Limits = Mapping[str, tuple[int, int]]


class IndexLost(Exception):
    """The index must be made again from Postgres before it can be used: Redis was emptied or restarted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index knows of a build: its place, and whose permits it takes."""

    build_id: UUID
    place: int
    payer_id: str
    project_id: UUID
    plan_slug: str

    @property
    def job(self) -> list[str]:
        return [self.payer_id, str(self.project_id), self.plan_slug]


@dataclass(frozen=True, slots=True)
class Holding:
    """A build that is held: by which owner token, and for how many seconds more (negative: its lease ran out)."""

    build_id: UUID
    owner: str
    seconds: float
    payer_id: str
    project_id: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What the index holds as of one moment."""

    waiting: frozenset[UUID]
    # Those of `waiting` that a limit keeps from running.
    blocked: frozenset[UUID]
    holdings: Mapping[UUID, Holding]
    # False if the index must be made again: the rest then tells nothing.
    built: bool

    @property
    def expired(self) -> list[UUID]:
        return [build_id for build_id, holding in self.holdings.items() if holding.seconds <= 0]

    def knows(self, build_id: UUID) -> bool:
        return build_id in self.waiting or build_id in self.holdings


class Queue:
    """The index. Every method raises redis errors when Redis is away; nothing is lost by that.

    Args:
        lease_seconds: How long a claim, or a renewal, is good for.
    """

    def __init__(self, client: redis.Redis, *, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self._client = client
        self._lease_milliseconds = max(1, round(lease_seconds * 1000))
        names = ("add", "claim", "renew", "release", "give_back", "seize", "forget", "unblock", "rebuild")
        self._scripts = {name: client.register_script(script(name)) for name in names}

    async def add(self, entry: Entry) -> None:
        """Puts a build into the queue, at its place. Adding one that waits or is held changes nothing."""
        await self._run("add", str(entry.build_id), entry.place, json.dumps(entry.job))

    async def claim(self, owner: str, limits: Limits) -> UUID | None:
        """Takes the first build that may run, with its lease and permits, in one step; None if none may.

        Asked again with the same owner token, after an answer that was lost, it returns the same build.

        Args:
            limits: How many builds of a user and of a project may run at once, by plan; negative: any number. The
                plan "" stands for those not named.

        Raises:
            IndexLost: Nothing can be claimed before the index is made again.
        """
        while True:
            build_id = await self._run("claim", owner, self._lease_milliseconds, json.dumps(limits))
            if build_id != b"":
                return UUID(build_id.decode()) if build_id else None

    async def renew(self, build_id: UUID, owner: str) -> bool:
        """Prolongs a lease and its permits. False if it ran out or is another's: stop at once."""
        return bool(await self._run("renew", str(build_id), owner, self._lease_milliseconds))

    async def release(self, build_id: UUID, owner: str) -> None:
        """Ends a lease and takes the build out of the index. Does nothing to somebody else's."""
        await self._run("release", str(build_id), owner)

    async def give_back(self, build_id: UUID, owner: str, *, place: int) -> None:
        """Puts a build that the caller holds back to its place in the queue. Does nothing to somebody else's."""
        await self._run("give_back", str(build_id), owner, place)

    async def seize(self, entry: Entry, owner: str) -> bool:
        """Takes over a build that nobody holds and that does not wait: its lease ran out or was forgotten.

        False if it does wait or is held; of several who try at once, one gets True. Its former holder can renew no
        more. Raises IndexLost.
        """
        arguments = (str(entry.build_id), owner, self._lease_milliseconds, json.dumps(entry.job))
        return bool(await self._run("seize", *arguments))

    async def forget(self, build_id: UUID) -> None:
        """Takes a build that is over or parked out of the index, its lease and permits included."""
        await self._run("forget", str(build_id))

    async def reconsider(self) -> None:
        """Has every build that waits looked at anew, because limits changed."""
        await self._run("unblock")

    async def rebuild(self, waiting: Iterable[Entry], held: Iterable[tuple[Entry, str]]) -> bool:
        """Makes the index again from what Postgres holds; False if another just did.

        Args:
            held: The builds that workers play, with the owner tokens of their leases: these count from now.
        """
        builds = [(entry, "") for entry in waiting] + list(held)
        lines = (json.dumps([str(entry.build_id), entry.place, entry.job, owner]) for entry, owner in builds)
        return bool(await self._run("rebuild", self._lease_milliseconds, *lines))

    async def contents(self) -> Contents:
        """Returns what the index holds, as of one moment."""
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.zrange(WAITING, 0, -1)
            pipeline.zrange(READY, 0, -1)
            pipeline.zrange(LEASES, 0, -1, withscores=True)
            pipeline.hgetall(OWNERS)
            pipeline.hgetall(JOBS)
            pipeline.get(BUILT)
            pipeline.info("server")
            pipeline.time()
            waiting, ready, leases, owners, jobs, built, server, (seconds, microseconds) = await pipeline.execute()
        now = seconds * 1000 + microseconds / 1000
        held = (_holding(member, (ends - now) / 1000, owners, jobs) for member, ends in leases)
        blocked = set(waiting) - set(ready)
        return Contents(
            waiting=_ids(waiting),
            blocked=_ids(blocked),
            holdings={holding.build_id: holding for holding in held if holding},
            built=built is not None and built.decode() == server["run_id"],
        )

    async def wait(self, seconds: float) -> None:
        """Returns when a build may run that could not before, at the latest after `seconds`."""
        await self._client.blpop([BELL], timeout=seconds)

    async def _run(self, name: str, *arguments: str | int) -> bytes:
        script: AsyncScript = self._scripts[name]
        try:
            answer: bytes = await script(keys=[TAG], args=arguments)
        except ResponseError as fault:
            if str(fault).startswith("UNBUILT"):
                raise IndexLost("the queue's index must be made again from Postgres") from fault
            raise
        return answer


def script(name: str) -> str:
    """Returns the source of one of the queue's scripts, with what they all begin with."""
    folder = resources.files("cofounder_server.builds") / "scripts"
    return (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


def _ids(members: Iterable[bytes]) -> frozenset[UUID]:
    return frozenset(build_id for member in members if (build_id := _id(member)))


def _id(member: bytes) -> UUID | None:
    """Returns a member as a build; None for what somebody else put there."""
    try:
        return UUID(member.decode())
    except ValueError:
        return None


def _holding(
    member: bytes, seconds: float, owners: Mapping[bytes, bytes], jobs: Mapping[bytes, bytes]
) -> Holding | None:
    build_id = _id(member)
    if build_id is None or member not in jobs:
        return None
    payer_id, project_id, _ = json.loads(jobs[member])
    return Holding(build_id, owners.get(member, b"").decode(), seconds, payer_id, project_id)
