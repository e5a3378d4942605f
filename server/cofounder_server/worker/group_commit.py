"""The group commit: the events of all builds of a worker that became ready while the former commit was in flight go
in one statement."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import structlog

from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import db, tasks
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.log import Log
from cofounder_server.builds.model import Outcome, Stretch, Verdict
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock
from cofounder_server.worker.writer import Writer

BUSY_SECONDS = 0.002  # another appender holds the head: it is a command, and short
AWAY_SECONDS = 0.2  # between two tries while Postgres is away
LINGER_SECONDS = 0.004
# Commits in the last second above which the next one lingers: below, waiting would only add latency.
LINGER_ABOVE = 100

log = structlog.get_logger(__name__)


class GroupCommit:
    """Commits what writers hold, then publishes it. `async with`; closing commits what is left.

    While Postgres is away it tries again and again: nothing that a writer took is dropped, and writers that are full
    wait.
    """

    def __init__(self, store: Log, publisher: Publisher, clock: Clock) -> None:
        self._log = store
        self._publisher = publisher
        self._clock = clock
        self._writers: dict[UUID, Writer] = {}
        self._wake = asyncio.Event()
        self._recent: deque[float] = deque(maxlen=LINGER_ABOVE)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "GroupCommit":
        self._task = asyncio.create_task(self._run(), name="group commit")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await tasks.stop(self._task)

    async def ended(self) -> None:
        """Returns once it is closed. Raises RuntimeError if it ended by itself: then nothing is committed any more."""
        assert self._task is not None
        await tasks.ended(self._task)

    def open(self, writer: Writer) -> None:
        """Commits for `writer` from now on. Call `wake` after each append."""
        self._writers[writer.build_id] = writer

    def close(self, writer: Writer) -> None:
        """Stops committing for `writer`."""
        if self._writers.get(writer.build_id) is writer:
            del self._writers[writer.build_id]

    def wake(self) -> None:
        """Says that a writer has something to commit."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while due := [writer for writer in self._writers.values() if writer.due]:
                await self._linger()
                await self._commit(due)

    async def _linger(self) -> None:
        now = time.monotonic()
        if len(self._recent) == LINGER_ABOVE and now - self._recent[0] < 1.0:
            await asyncio.sleep(LINGER_SECONDS)
        self._recent.append(now)

    async def _commit(self, due: Sequence[Writer]) -> None:
        now = self._clock.now()
        batches = [writer.next_batch(now) for writer in due]
        try:
            outcomes = await self._log.append(batches)
            stretches = [await self._settle(*pair) for pair in zip(due, outcomes, strict=True)]
        except db.UNREACHABLE as fault:
            log.warning("Postgres away; builds wait for it", fault=type(fault).__name__)
            for writer in due:
                writer.doubtful = writer.batch is not None
            await asyncio.sleep(AWAY_SECONDS)
            return
        committed = [stretch for stretch in stretches if stretch is not None]
        if committed:
            await self._publisher.publish(committed)
        else:
            await asyncio.sleep(BUSY_SECONDS)

    async def _settle(self, writer: Writer, outcome: Outcome) -> Stretch | None:
        """Takes a batch's verdict; returns the stretch if it now stands in the log."""
        batch = writer.batch
        assert batch is not None
        if outcome.verdict is Verdict.BUSY:
            return None
        if outcome.verdict is Verdict.OK or (writer.doubtful and await self._log.found(batch.append_id) is not None):
            # Found later means that it was numbered from `expected` all the same: renumbering voids no commit.
            writer.committed()
            return Stretch(batch.build_id, batch.expected, batch.expected + batch.count, batch.body, over=False)
        if outcome.verdict is Verdict.MOVED:
            await self._catch_up(writer, outcome.head)
            writer.renumber(self._clock.now())
        else:
            writer.fail(LeaseLost(f"the log of {batch.build_id} answers {outcome.verdict}"))
        return None

    async def _catch_up(self, writer: Writer, head: int) -> None:
        while writer.head < head:
            stretch = await self._log.read(writer.build_id, after=writer.head)
            writer.catch_up(WatchBuildResponse.FromString(stretch.body).events)
