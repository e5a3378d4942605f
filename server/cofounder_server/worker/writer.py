"""One build's end of the log in a worker: events wait here for the next commit."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot
from cofounder_server.builds import fold, framing
from cofounder_server.builds.change import LeaseLost
from cofounder_server.builds.model import Batch

PENDING_EVENTS = 2_000  # beyond these the build's runner waits
BATCH_EVENTS = 512
BATCH_BYTES = 512 * 1024
JOINED_CHARACTERS = 16 * 1024
SNAPSHOT_EVERY = 2_000

# Kinds of which two in a row, for the same thing, may be joined while they wait: what tells one thing from another.
JOINABLE = {
    "text_delta": ("generation_id",),
    "thinking_delta": ("generation_id",),
    "file_delta": ("path",),
    "command_output": ("command_id", "channel"),
}


class Writer:
    """Takes a build's events in order and hands them to the group commit as batches.

    Not for two tasks at once. After `LeaseLost`, the build is somebody else's and nothing more may be appended.
    """

    def __init__(self, build_id: UUID, *, generation: int, attempt: int, folded: BuildSnapshot) -> None:
        self.build_id = build_id
        self.generation = generation
        # The log's head as far as this writer knows: everything up to here is committed and in the fold.
        self.head = folded.through_sequence
        # Set when somebody else appended to the log: a command, perhaps.
        self.overtaken = asyncio.Event()
        self.batch: Batch | None = None
        # True from the moment an acknowledgement was lost: the batch may have been committed.
        self.doubtful = False
        self._attempt = attempt
        self._folded = folded
        self._snapshot_at = folded.through_sequence
        self._refolded: BuildSnapshot | None = None
        self._pending: list[BuildEvent] = []
        self._batched: list[BuildEvent] = []
        self._settled = asyncio.Event()
        self._settled.set()
        self._room = asyncio.Event()
        self._room.set()
        self._fault: LeaseLost | None = None

    @property
    def due(self) -> bool:
        """True if there is something to commit."""
        return self._fault is None and bool(self._pending or self._batched)

    async def append(self, event: BuildEvent) -> None:
        """Takes an event for the next commit; waits while too many are waiting. Raises LeaseLost."""
        await self._room.wait()
        if self._fault:
            raise self._fault
        event.attempt = self._attempt
        if not (self._pending and joined(self._pending[-1], event)):
            self._pending.append(event)
        self._settled.clear()
        if len(self._pending) >= PENDING_EVENTS:
            self._room.clear()

    async def flush(self) -> None:
        """Returns once everything taken so far is committed. Raises LeaseLost."""
        await self._settled.wait()
        if self._fault:
            raise self._fault

    def next_batch(self, now: datetime) -> Batch:
        """Returns what to commit next: the batch that is still in doubt or was refused, or a new one."""
        if self.batch is None:
            self._batched = self._take()
            self.batch = self._encode(uuid4(), now)
        return self.batch

    def renumber(self, now: datetime) -> None:
        """Encodes the refused batch again, after what others appended. It was never committed: its id stays."""
        assert self.batch is not None
        self.batch = self._encode(self.batch.append_id, now)

    def committed(self) -> None:
        """Takes note that the batch stands in the log."""
        assert self.batch is not None
        self.head += self.batch.count
        if self._refolded is not None:
            self._folded, self._refolded, self._snapshot_at = self._refolded, None, self.head
        else:
            for event in self._batched:
                fold.apply(self._folded, event)
        self.batch, self._batched, self.doubtful = None, [], False
        if not self._pending:
            self._settled.set()

    def catch_up(self, events: Sequence[BuildEvent]) -> None:
        """Takes note of what others appended."""
        for event in events:
            fold.apply(self._folded, event)
        self.head = self._folded.through_sequence
        self.overtaken.set()

    def fail(self, fault: LeaseLost) -> None:
        """Ends the writer: whoever waits on it, or appends, gets `fault`."""
        self._fault = fault
        self._settled.set()
        self._room.set()

    def _take(self) -> list[BuildEvent]:
        count = size = 0
        for event in self._pending[:BATCH_EVENTS]:
            size += event.ByteSize()
            if count and size > BATCH_BYTES:
                break
            count += 1
        taken, self._pending = self._pending[:count], self._pending[count:]
        if len(self._pending) < PENDING_EVENTS:
            self._room.set()
        return taken

    def _encode(self, append_id: UUID, now: datetime) -> Batch:
        body = framing.encode(self._batched, after=self.head, time=now)
        self._refolded = None
        if self.head + len(self._batched) - self._snapshot_at >= SNAPSHOT_EVERY:
            self._refolded = fold.fold(self._batched, self._folded)
        return Batch(
            build_id=self.build_id,
            append_id=append_id,
            expected=self.head,
            count=len(self._batched),
            body=body,
            generation=self.generation,
            snapshot=self._refolded.SerializeToString() if self._refolded else None,
        )


def joined(last: BuildEvent, event: BuildEvent) -> bool:
    """Appends `event`'s text to `last` if both are pieces of the same text; False if they are not."""
    kind = event.WhichOneof("kind")
    if kind not in JOINABLE or last.WhichOneof("kind") != kind:
        return False
    former, piece = getattr(last, kind), getattr(event, kind)
    if any(getattr(former, name) != getattr(piece, name) for name in JOINABLE[kind]):
        return False
    if len(former.text) + len(piece.text) > JOINED_CHARACTERS:
        return False
    former.text += piece.text
    return True
