"""The worker's loop: claim, play, give back; and on a drain, hand back what is under way."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

import structlog
from redis.exceptions import RedisError

from cofounder_server import db, tasks
from cofounder_server.builds import rebuild
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.model import StageEnd
from cofounder_server.builds.queue import IndexLost
from cofounder_server.builds.transitions import Attempt
from cofounder_server.worker.board import Board
from cofounder_server.worker.leases import Lease
from cofounder_server.worker.run_build import Desk, RunBuild, retried

WAIT_SECONDS = 1.0  # for a build to be added, before looking again
AWAY_SECONDS = 0.5  # between two tries while Redis or Postgres is away

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Claim:
    """A build that this worker may play, under the token of a lease that it asked for at `time` (monotonic)."""

    build_id: UUID
    owner: str
    time: float


class Worker:
    """Plays up to `slots` builds at once.

    Args:
        worker_id: Names this process in logs and events.
    """

    def __init__(self, desk: Desk, board: Board, *, worker_id: str, slots: int) -> None:
        self._desk = desk
        self._board = board
        self._worker_id = worker_id
        self._free = asyncio.Semaphore(slots)
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Claims and plays until cancelled; then, in this order:

        1. takes no more builds,
        2. stops each attempt: the model's call and the sandbox's tree end,
        3. hands each build back to its place in the queue, without counting a crash,
        4. signs out.
        """
        await self._board.read()
        beside = [
            asyncio.create_task(self._board.run(), name="board"),
            asyncio.create_task(self._desk.commit.ended(), name="group commit's end"),
            asyncio.create_task(self._desk.watches.ended(), name="head poll's end"),
        ]
        claiming = asyncio.create_task(self._claim_all(), name="claims")
        try:
            # None of them ends by itself. If one does, the worker must not limp on without it.
            done, _ = await asyncio.wait([claiming, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await tasks.stop(claiming)
            for attempt in self._attempts:
                attempt.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)
            await tasks.stop(*beside)
            with contextlib.suppress(*db.UNREACHABLE):
                await self._board.sign_out()

    async def _claim_all(self) -> None:
        while True:
            await self._free.acquire()
            try:
                claim = await self._claim()
            except BaseException:
                self._free.release()
                raise
            attempt = asyncio.create_task(self._attempt(claim), name=f"attempt {claim.build_id}")
            self._attempts.add(attempt)
            attempt.add_done_callback(self._done)

    def _done(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._free.release()

    async def _claim(self) -> Claim:
        """Returns the next build that may run. Asks with the same token until there is an answer: if one was lost,
        the build that was claimed by it is given again."""
        owner = f"{self._worker_id}:{uuid4().hex}"
        while True:
            try:
                if self._board.open and (claim := await self._ask(owner)):
                    return claim
                await self._desk.queue.wait(WAIT_SECONDS)
            except IndexLost:
                await self._rebuild()
            except (RedisError, OSError) as fault:
                log.warning("queue away", fault=type(fault).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _ask(self, owner: str) -> Claim | None:
        asked = time.monotonic()
        claiming = asyncio.ensure_future(self._desk.queue.claim(owner, self._board.limits))
        try:
            build_id = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # A drain. What the question leads to is given back at once, not when its lease runs out.
            if build_id := await _outcome(claiming):
                job = await self._desk.transitions.job(build_id)
                await self._desk.queue.give_back(build_id, owner, place=job.priority)
            raise
        return Claim(build_id, owner, asked) if build_id else None

    async def _rebuild(self) -> None:
        try:
            if await rebuild.rebuild(self._desk.pool, self._desk.queue):
                log.warning("the queue's index was made again from Postgres")
        except (*db.UNREACHABLE, RedisError) as fault:
            log.warning("the queue's index cannot be made again yet", fault=type(fault).__name__)
            await asyncio.sleep(AWAY_SECONDS)

    async def _attempt(self, claim: Claim) -> None:
        """Plays a claimed build. What goes wrong here leaves the lease to run out: the sweeper then sees to it."""
        # Kept from the claim on: looking for where to go on may take its time.
        lease = self._desk.leases.keep(claim.build_id, claim.owner, claimed=claim.time)
        try:
            await self._play(lease)
        except (*db.UNREACHABLE, RedisError) as fault:
            log.warning(
                "attempt given up; the sweeper takes it", build_id=str(claim.build_id), fault=type(fault).__name__
            )
        except Exception:
            log.exception("attempt broken; the sweeper takes it", build_id=str(claim.build_id))
        finally:
            self._desk.leases.drop(lease)

    async def _play(self, lease: Lease) -> None:
        build_id, owner = lease.build_id, lease.owner
        after = await self._desk.resumes.find(build_id)
        attempt = await self._begin(lease, after)
        if attempt is None:
            await self._desk.queue.release(build_id, owner)
            return
        try:
            await self._confirm(lease)
            await RunBuild(self._desk, attempt, lease).play()
        except asyncio.CancelledError:
            await self._hand_back(attempt, owner)
            raise
        except (LeaseLost, *db.UNREACHABLE, RedisError) as fault:
            why = str(fault) if isinstance(fault, LeaseLost) else type(fault).__name__
            log.warning("attempt given up; the build goes on elsewhere", build_id=str(build_id), fault=why)
            await self._hand_back(attempt, owner)
            return
        await self._desk.queue.release(build_id, owner)

    async def _begin(self, lease: Lease, after: StageEnd | None) -> Attempt | None:
        begin = self._desk.transitions.begin_attempt
        beginning = asyncio.ensure_future(
            begin(lease.build_id, worker_id=self._worker_id, owner=lease.owner, after=after)
        )
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            # A drain. Whether it has begun is known in a moment, and then it is handed back as any other.
            if attempt := await _outcome(beginning):
                await self._hand_back(attempt, lease.owner)
            raise

    async def _confirm(self, lease: Lease) -> None:
        """Raises LeaseLost unless the index has the lease: it may have been made again before it could know of this
        attempt, or be away. Then the build is handed back before anything is done."""
        try:
            held = await self._desk.queue.renew(lease.build_id, lease.owner)
        except (RedisError, OSError) as fault:
            raise LeaseLost(f"the lease of {lease.build_id} cannot be confirmed") from fault
        if not held:
            raise LeaseLost(f"the lease of {lease.build_id} went while the attempt began")

    async def _hand_back(self, attempt: Attempt, owner: str) -> None:
        """Hands a build back, as soon as Postgres answers: a store that is away for a while is no crash of a worker."""
        job = attempt.job
        hand_back = self._desk.transitions.hand_back
        try:
            waits = await retried(lambda: hand_back(job.build_id, generation=attempt.generation))
        except LeaseLost:
            # Somebody else has it already, or it is over: neither the build nor its place is ours to touch.
            return
        if waits:
            await self._desk.queue.give_back(job.build_id, owner, place=job.priority)
        else:
            await self._desk.queue.release(job.build_id, owner)


async def _outcome(work: asyncio.Future[Answer]) -> Answer | None:
    """Returns what work that was shielded comes to; None if it fails: the sweeper then sees to it."""
    await asyncio.wait({work})
    return None if work.cancelled() or work.exception() else work.result()
