"""The worker's loop: claim, play, give back; and on a drain, hand back what is under way."""

import asyncio
from uuid import UUID, uuid4

import structlog
from redis.exceptions import RedisError

from cofounder_server import db
from cofounder_server.builds.transitions import Attempt, LeaseLost
from cofounder_server.worker.run_build import Desk, RunBuild

WAIT_SECONDS = 1.0  # for a build to be added, before looking again
AWAY_SECONDS = 0.5  # between two tries while Redis or Postgres is away

log = structlog.get_logger(__name__)


class Worker:
    """Plays up to `slots` builds at once.

    Args:
        worker_id: Names this process in logs and events.
    """

    def __init__(self, desk: Desk, *, worker_id: str, slots: int) -> None:
        self._desk = desk
        self._worker_id = worker_id
        self._free = asyncio.Semaphore(slots)
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Claims and plays until cancelled; then, in this order:

        1. takes no more builds,
        2. stops each attempt: the model's call and the sandbox's tree end,
        3. hands each build back to its place in the queue, without counting a crash.
        """
        try:
            while True:
                await self._free.acquire()
                try:
                    claimed = await self._claim()
                except BaseException:
                    self._free.release()
                    raise
                attempt = asyncio.create_task(self._attempt(*claimed), name=f"attempt {claimed[0]}")
                self._attempts.add(attempt)
                attempt.add_done_callback(self._done)
        finally:
            for attempt in self._attempts:
                attempt.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)

    def _done(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._free.release()

    async def _claim(self) -> tuple[UUID, str]:
        """Returns the next build and the owner token of its lease."""
        while True:
            owner = f"{self._worker_id}:{uuid4().hex}"
            try:
                if build_id := await self._desk.queue.claim(owner):
                    return build_id, owner
                await self._desk.queue.wait(WAIT_SECONDS)
            except (RedisError, OSError) as fault:
                log.warning("queue away", fault=type(fault).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _attempt(self, build_id: UUID, owner: str) -> None:
        """Plays a claimed build. What goes wrong here leaves the lease to run out: the sweeper then sees to it."""
        try:
            attempt = await self._desk.transitions.begin_attempt(build_id, worker_id=self._worker_id)
            if attempt is None:
                await self._desk.queue.forget(build_id)
                return
            try:
                await RunBuild(self._desk, attempt, owner).play()
            except asyncio.CancelledError:
                await self._hand_back(attempt, owner)
                raise
            await self._desk.queue.release(build_id, owner)
        except (*db.UNREACHABLE, RedisError) as fault:
            log.warning("attempt given up; the sweeper takes it", build_id=str(build_id), fault=type(fault).__name__)
        except Exception:
            log.exception("attempt broken; the sweeper takes it", build_id=str(build_id))

    async def _hand_back(self, attempt: Attempt, owner: str) -> None:
        job = attempt.job
        try:
            await self._desk.transitions.hand_back(job.build_id, generation=attempt.generation)
        except LeaseLost:
            return
        await self._desk.queue.give_back(job.build_id, owner, priority=job.priority)
