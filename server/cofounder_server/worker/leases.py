"""The leases of a worker's builds, renewed from a thread of its own: a busy event loop cannot stop that.

The thread renews only while the loop ticks: a loop that is stuck plays nothing, and its builds are better off with
another worker. A lease that could not be renewed ends here before it ends in Redis (the *self-fence*), so that its
build stops before anybody else may begin it. What the thread cannot know (a process that was stopped and goes on, a
clock that jumped) the fence in Postgres decides.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from uuid import UUID

import redis
import structlog
from redis.exceptions import RedisError

from cofounder_server.builds.queue import TAG, script

# The share of a lease that is left when it ends here.
MARGIN = 0.2
# The share of a lease for which the loop may be stuck before its leases are no longer renewed.
STUCK = 0.5

log = structlog.get_logger(__name__)


class Lease:
    """One build's lease.

    `lost` is true from the moment on which nothing more may be done under it; `gone` is set a little later, on the
    loop, for whoever waits for that. Neither happens any more once it is dropped.
    """

    def __init__(self, build_id: UUID, owner: str, *, ends: float) -> None:
        self.build_id = build_id
        self.owner = owner
        # Monotonic seconds.
        self.ends = ends
        self.lost = False
        self.gone = asyncio.Event()


class Leases:
    """Keeps leases. `async with`, on the loop whose builds they are of.

    Args:
        client: A blocking client, for the thread alone; its timeouts must be shorter than a heartbeat.
        lease_seconds: As the queue has them.
    """

    def __init__(self, client: redis.Redis, *, lease_seconds: float, heartbeat_seconds: float) -> None:
        self._renew = client.register_script(script("renew"))
        self._lease_seconds = lease_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._held: dict[UUID, Lease] = {}
        self._ticked = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Leases":
        self._loop = asyncio.get_running_loop()
        self._ticked = time.monotonic()
        self._ticking = asyncio.create_task(self._tick(), name="tick")
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ticking is not None
        self._ticking.cancel()
        self._stop.set()
        # Not joined: it may be waiting for Redis, and nothing depends on its last word.
        await asyncio.gather(self._ticking, return_exceptions=True)

    def keep(self, build_id: UUID, owner: str, *, claimed: float) -> Lease:
        """Keeps a lease from now on that was asked for at `claimed`, in monotonic seconds."""
        lease = Lease(build_id, owner, ends=claimed + self._lease_seconds)
        self._held[build_id] = lease
        return lease

    def drop(self, lease: Lease) -> None:
        """Keeps a lease no longer."""
        if self._held.get(lease.build_id) is lease:
            del self._held[lease.build_id]

    async def _tick(self) -> None:
        while True:
            self._ticked = time.monotonic()
            await asyncio.sleep(self._heartbeat_seconds / 4)

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds / 2):
            held = list(self._held.values())
            if time.monotonic() - self._ticked < self._lease_seconds * STUCK:
                self._renew_all(held)
            for lease in held:
                if time.monotonic() > lease.ends - self._lease_seconds * MARGIN:
                    self._lose(lease)

    def _renew_all(self, held: Sequence[Lease]) -> None:
        milliseconds = max(1, round(self._lease_seconds * 1000))
        for lease in held:
            asked = time.monotonic()
            try:
                answer = self._renew(keys=[TAG], args=[str(lease.build_id), lease.owner, milliseconds])
            except (RedisError, OSError) as fault:
                log.warning("leases not renewed: Redis away", fault=type(fault).__name__, builds=len(held))
                return
            if answer:
                # As of the question: Redis counts from the moment it got it, which is later.
                lease.ends = asked + self._lease_seconds
            else:
                self._lose(lease)

    def _lose(self, lease: Lease) -> None:
        if lease.lost or self._held.get(lease.build_id) is not lease:
            return
        # First the flag, which whoever acts looks at; the loop may be busy for a while yet.
        lease.lost = True
        log.warning("lease lost", build_id=str(lease.build_id))
        self._loop.call_soon_threadsafe(self._tell, lease)

    def _tell(self, lease: Lease) -> None:
        if self._held.get(lease.build_id) is lease:
            lease.gone.set()
