"""One cell of the kill matrix: a build is brought to a moment, a victim is struck, and what came of it is judged."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from cofounder_server import db
from cofounder_server.builds.queue import BELL
from cofounder_testkit import aftermath, checker, order, watch
from cofounder_testkit.checker import PromiseBroken, Record
from cofounder_testkit.deed import Deed
from cofounder_testkit.holds import Held
from cofounder_testkit.house import House
from cofounder_testkit.moments import CURTAIN, Moment

# Waits are generous: a cell judges what happens, and only tells how long it took.
REACH_SECONDS = 60.0
OVER_SECONDS = 90.0
LOOK_AGAIN_SECONDS = 0.01

HEAD = """select coalesce(max(head), 0), coalesce(bool_or(sealed), false)
  from builds join build_heads using (build_id) where request_id = $1"""
STANDS = "select build_id, state, attempt, crashes, lease_owner from builds where request_id = $1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cell:
    """Who is struck, how, and when."""

    victim: str
    signal: str
    moment: Moment

    @property
    def name(self) -> str:
        return f"{self.victim}/{self.signal}/{self.moment.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell. Times are in seconds from the deed."""

    cell: str
    events: int = 0
    attempts: int = 0
    crashes: int = 0
    state: str = ""
    # How often watchers had to come back.
    cuts: int = 0
    # Until the log went on; None if its end stood already.
    log_seconds: float | None = None
    over_seconds: float = 0.0
    # What does not hold; None if everything does.
    broken: str | None = None


async def play(house: House, cell: Cell) -> Outcome:
    """Plays a cell to its end and judges it. What goes wrong is in the outcome."""
    scene = _Scene(house, cell)
    try:
        return await scene.play()
    except Exception as fault:
        return Outcome(cell.name, broken=await scene.evidence(fault))
    finally:
        await scene.end()


class _Scene:
    """A cell under way."""

    def __init__(self, house: House, cell: Cell) -> None:
        self._house = house
        self._cell = cell
        self._request_id = uuid4()
        # Where it stands, for the evidence if it goes no further.
        self._phase = "before the curtain"
        self._tasks: list[asyncio.Task[Any]] = []
        self._watching: list[asyncio.Task[Record]] = []

    async def play(self) -> Outcome:
        async with asyncio.timeout(REACH_SECONDS):
            await aftermath.until_reachable(self._house.pool, self._house.queue)
            first = await self._curtain()
            self._phase = "on the way to the moment"
            starting = self._spawn(order.start(self._house.address, self._request_id))
            held = await self._reach(first, starting)
            head, sealed = await self._house.pool.fetchrow(HEAD, self._request_id)
        self._phase = "after the deed"
        async with asyncio.timeout(OVER_SECONDS):
            struck = time.monotonic()
            mending = self._strike(held if self._cell.moment.place == "worker" else first)
            going_on = self._spawn(self._log_goes_on(head, struck))
            records = await self._watch_to_the_end(await starting)
            over_seconds = time.monotonic() - struck
            await mending
            log_seconds = None if sealed else await going_on
            self._phase = "when all was over"
            await aftermath.until_reachable(self._house.pool, self._house.queue)
        return await self._judge(UUID(starting.result()), records, log_seconds, over_seconds)

    async def _curtain(self) -> Held:
        """Holds workers before their next claim, so that one of them alone plays; returns that one.

        Two are enough: another may still be coming back from the cell before.
        """
        # Those that wait for a build look at once.
        await self._house.client.lpush(BELL, *("1" for _ in self._house.workers))
        pids = partial(self._house.pids, "worker")
        [first, *_] = await self._house.holds.gather(CURTAIN, pids=pids, least=2)
        return first

    async def _reach(self, first: Held, starting: "asyncio.Task[str]") -> Held:
        """Returns once the build is held at the moment; its watchers are there already, if it can be known to them."""
        moment = self._cell.moment
        if moment.place == "server":
            return await self._catch()
        build_id = await starting
        for way, record in ((watch.over_grpc, Record("grpc")), (watch.over_websocket, Record("websocket"))):
            self._watching.append(self._spawn(way(self._house.address, build_id, record=record)))
            while not record.events:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if moment.point == CURTAIN:
            return first
        catching = self._spawn(self._catch())
        # The file must lie there before the worker goes on.
        await asyncio.sleep(0)
        first.release()
        return await catching

    async def _catch(self) -> Held:
        moment = self._cell.moment
        pids = partial(self._house.pids, moment.place)
        return await self._house.holds.catch(moment.point, pids=pids, nth=moment.nth)

    def _strike(self, worker: Held) -> "asyncio.Task[None]":
        """Strikes the victim, of the workers that one, then lets everybody go on; returns the mending."""
        name = self._cell.victim
        victim = self._house.worker_of(worker.pid) if name == "worker" else self._house.victims[name]
        deed = Deed(self._cell.signal, victim)
        deed.strike()
        self._house.holds.clear()
        return self._spawn(deed.mend())

    async def _watch_to_the_end(self, build_id: str) -> list[Record]:
        """Returns what those saw who were there, and one who came after the deed."""
        ways = [watch.over_grpc(self._house.address, build_id, record=Record("grpc, late"))]
        if not self._watching:
            ways.append(watch.over_websocket(self._house.address, build_id))
            ways.append(watch.over_grpc(self._house.address, build_id))
        self._watching += [self._spawn(way) for way in ways]
        return list(await asyncio.gather(*self._watching))

    async def _log_goes_on(self, head: int, struck: float) -> float:
        """Returns after how many seconds the log was longer than when the deed was done."""
        while True:
            with contextlib.suppress(*db.UNREACHABLE):
                now, _ = await self._house.pool.fetchrow(HEAD, self._request_id)
                if now > head:
                    return time.monotonic() - struck
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _judge(
        self, build_id: UUID, records: list[Record], log_seconds: float | None, over_seconds: float
    ) -> Outcome:
        """Raises PromiseBroken."""
        ended = await aftermath.ended(self._house.pool, build_id)
        if ended.state != "succeeded":
            raise PromiseBroken(f"the build ended as {ended.state} after {ended.crashes} lost workers")
        events = checker.check_all([ended.record, *records])
        await aftermath.clean(self._house.queue, self._house.client)
        return Outcome(
            self._cell.name,
            events=events,
            attempts=ended.attempts,
            crashes=ended.crashes,
            state=ended.state,
            cuts=sum(record.cuts for record in records),
            log_seconds=log_seconds,
            over_seconds=over_seconds,
        )

    async def evidence(self, fault: BaseException) -> str:
        """Says what is broken, and where everything stood."""
        said = str(fault) or f"still not so after {REACH_SECONDS:g} or {OVER_SECONDS:g} s"
        try:
            row = await self._house.pool.fetchrow(STANDS, self._request_id)
        except db.UNREACHABLE as away:
            row = away
        return f"{type(fault).__name__} {self._phase}: {said}; the build: {dict(row) if row else row}"

    async def end(self) -> None:
        """Lets everybody go on; nothing of the cell runs any more."""
        self._house.holds.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task
