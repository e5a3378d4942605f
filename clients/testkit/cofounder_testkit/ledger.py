"""What really happened to many builds: who was played when, and who was claimed before whom. Judged afterwards.

The plays are those of runners in this process, so that no instant is missed: a permit is held by whoever plays, and
not by whom an index says.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import UsageRecorded
from cofounder.runner.v1.event_lifecycle_pb2 import BuildSucceeded
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.runner import BuildOrder, Caller
from cofounder_server.builds.model import StageEnd
from cofounder_server.builds.queue import TAG, Entry, Limits, Queue

EVENTS = 3


@dataclass(frozen=True, slots=True)
class Wait:
    """A build's time in the queue, in monotonic seconds: it waited at `since`; its claim was asked for and answered."""

    entry: Entry
    since: float
    asked: float
    answered: float
    # True if it had been claimed before, and was given back.
    again: bool

    def overtook(self, other: "Wait") -> bool:
        """Whether this one was surely claimed while the other waited, and before it."""
        return self.asked > other.since and self.answered < other.asked


@dataclass(slots=True)
class Ledger:
    """Everything that is noted, by whoever it happens to."""

    limits: Limits
    entries: dict[UUID, Entry] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    # How often each build was played to its end.
    played: Counter[UUID] = field(default_factory=Counter)
    # The most that were played at once, of whom: "user u1", "project …".
    most: Counter[str] = field(default_factory=Counter)
    # Every instant at which somebody had more than their permits.
    above: list[str] = field(default_factory=list)
    _playing: Counter[str] = field(default_factory=Counter)
    _begun: set[UUID] = field(default_factory=set)
    _since: dict[UUID, float] = field(default_factory=dict)

    def waiting(self, entry: Entry) -> None:
        """Notes that a build waits from now on, unless it does already."""
        self.entries[entry.build_id] = entry
        self._since.setdefault(entry.build_id, time.monotonic())

    def claimed(self, build_id: UUID, *, asked: float) -> None:
        """Notes that a build was claimed."""
        since = self._since.pop(build_id, None)
        if since is not None:
            again = build_id in self._begun
            self.waits.append(Wait(self.entries[build_id], since, asked, time.monotonic(), again))
            self._begun.add(build_id)

    def lost(self, build_id: UUID) -> None:
        """Notes that a build was held by somebody who is no more, perhaps by a claim that nobody got to know of."""
        self._since.pop(build_id, None)
        self._begun.add(build_id)

    @contextlib.contextmanager
    def play(self, build_id: UUID) -> Iterator[None]:
        """Notes that a build is played as long as the block runs."""
        entry = self.entries[build_id]
        limits = self.limits[entry.plan_slug]
        holders = (f"user {entry.payer_id}", f"project {entry.project_id}")
        for holder, limit in zip(holders, limits, strict=True):
            self._playing[holder] += 1
            self.most[holder] = max(self.most[holder], self._playing[holder])
            if 0 <= limit < self._playing[holder]:
                self.above.append(f"{holder} played {self._playing[holder]} builds at once and may play {limit}")
        try:
            yield
        finally:
            for holder in holders:
                self._playing[holder] -= 1

    def compare(self, holder: str, held: int, limit: int, where: str) -> None:
        """Notes how many permits somebody holds, as somebody else tells it."""
        if 0 <= limit < held:
            self.above.append(f"{holder} has {held} permits {where} and may have {limit}")

    def inversions(self, *, again: bool) -> list[str]:
        """Returns every pair of one user, plan and project of which the later place was claimed first.

        Builds that share all three are kept by the same limits, so whatever let the later run let the former run.

        Args:
            again: Whether the one that was overtaken had been claimed before, and was given back.
        """
        groups: dict[tuple[str, str, UUID], list[Wait]] = {}
        for wait in self.waits:
            groups.setdefault((wait.entry.payer_id, wait.entry.plan_slug, wait.entry.project_id), []).append(wait)
        return [
            f"{late.entry.build_id} of {late.entry.payer_id} overtook {early.entry.build_id}"
            for group in groups.values()
            for early in group
            for late in group
            if early.again == again and late.entry.place > early.entry.place and late.overtook(early)
        ]


# Permits that have not run out, of a user and of a project, as of one moment.
PERMITS = """local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {redis.call('zcount', KEYS[1], '(' .. now, '+inf'), redis.call('zcount', KEYS[2], '(' .. now, '+inf')}"""


class Noted(Queue):
    """The queue, with what it does noted in `ledger`, and permits counted in Redis after each claim."""

    ledger: Ledger

    async def add(self, entry: Entry) -> None:
        await super().add(entry)
        self.ledger.waiting(entry)

    async def claim(self, owner: str, limits: Limits) -> UUID | None:
        asked = time.monotonic()
        build_id = await super().claim(owner, limits)
        if build_id is not None:
            self.ledger.claimed(build_id, asked=asked)
            await self._count(self.ledger.entries[build_id])
        return build_id

    async def _count(self, entry: Entry) -> None:
        holders = (f"user:{entry.payer_id}", f"project:{entry.project_id}")
        counts = await self._client.eval(PERMITS, 2, *(f"{TAG}:{holder}" for holder in holders))
        for holder, held, limit in zip(holders, counts, self.ledger.limits[entry.plan_slug], strict=True):
            self.ledger.compare(holder, held, limit, "in Redis")

    async def seize(self, entry: Entry, owner: str) -> bool:
        seized = await super().seize(entry, owner)
        if seized:
            self.ledger.lost(entry.build_id)
        return seized

    async def give_back(self, build_id: UUID, owner: str, *, place: int) -> None:
        await super().give_back(build_id, owner, place=place)
        self.ledger.waiting(self.ledger.entries[build_id])


class Trivial:
    """A runner that says a little, takes `seconds` for it, and succeeds."""

    def __init__(self, ledger: Ledger, *, seconds: float) -> None:
        self._ledger = ledger
        self._seconds = seconds

    async def run(
        self, caller: Caller, order: BuildOrder, after: StageEnd | None = None
    ) -> AsyncGenerator[BuildEvent, None]:
        """Plays a build. See `BuildRunner`."""
        del order, after
        build_id = UUID(caller.build_id)
        with self._ledger.play(build_id):
            for number in range(EVENTS):
                yield BuildEvent(usage_recorded=UsageRecorded(generation_id=str(number)))
                await asyncio.sleep(self._seconds / EVENTS)
        self._ledger.played[build_id] += 1
        yield BuildEvent(build_succeeded=BuildSucceeded(summary="done"))

    def step(self, caller: Caller, order: BuildOrder, stage: Stage) -> AsyncGenerator[BuildEvent, None]:
        """Has no stages. See `BuildRunner`."""
        raise NotImplementedError
