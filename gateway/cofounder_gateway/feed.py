"""What this gateway holds of one build: the newest stretches, the view of now, and who waits for a change."""

import asyncio
import contextlib
from collections import OrderedDict

from google.rpc import status_pb2

from cofounder.runner.v1 import build_view_pb2
from cofounder_gateway import frames
from cofounder_gateway.ring import Ring, Stretch

# Watchers in step ask for the same few bodies; a straggler's costs one more encoding, not memory.
_BODIES = 8
# Codec, cursor, head, version of the view.
_BodyKey = tuple[type, int, int | None, int]


class Feed:
    """One followed build. Written by the relay, read by any number of watchers; neither waits for the other."""

    def __init__(self, build_id: str, *, ring_bytes: int, max_batch_bytes: int) -> None:
        self.build_id = build_id
        self.ring = Ring(ring_bytes)
        # Why the build cannot be followed, once that is so.
        self.refusal: status_pb2.Status | None = None
        # Raised with each view; a watcher compares it with the one it has shown.
        self.view_version = 0
        # Read from the log before it was known where the ring begins.
        self._early: Stretch | None = None
        self._view: frames.View | None = None
        self._max_batch_bytes = max_batch_bytes
        self._bodies: OrderedDict[_BodyKey, tuple[frames.Frame, int]] = OrderedDict()
        self._signal = asyncio.get_running_loop().create_future()

    def take(self, stretch: Stretch) -> None:
        """Takes what the relay brought."""
        try:
            self.ring.push(stretch)
        except frames.BadEvents:
            # Not usable here: as if it had been missed, so that watchers read the log.
            self.ring.push(Stretch.of(after=stretch.last, last=stretch.last, events=b"", over=stretch.over))
        if self._early is not None:
            self.recall(self._early)
        if stretch.over:
            # Nothing is true of now any more; who joins late is told by the log.
            self._view = None
        self.wake()

    def recall(self, stretch: Stretch) -> None:
        """Takes what was read from the log, so that who joins later need not read it again (C-13)."""
        if self.ring.base is None:
            self._early = stretch
            return
        self._early = None
        with contextlib.suppress(frames.BadEvents):
            self.ring.extend(stretch)

    def show(self, view: build_view_pb2.BuildView) -> None:
        self._view = frames.View(view)
        self.view_version += 1
        self.wake()

    def refuse(self, status: status_pb2.Status) -> None:
        self.refusal = status
        self.wake()

    def signal(self) -> "asyncio.Future[None]":
        """Returns what is done at the next change. Shared: wait by `asyncio.wait`, which does not cancel it."""
        return self._signal

    def wake(self) -> None:
        done, self._signal = self._signal, asyncio.get_running_loop().create_future()
        done.set_result(None)

    def finished(self, cursor: int) -> bool:
        """Tells whether `cursor` is at or past the terminal event."""
        return self.ring.over and self.ring.head is not None and cursor >= self.ring.head

    def news(self, cursor: int, view_seen: int) -> bool:
        """Tells whether there is anything for a watcher that the ring can serve."""
        head = self.ring.head
        return (head is not None and head > cursor) or self.view_version > view_seen

    def body(self, codec: frames.Codec, cursor: int, view_seen: int) -> tuple[frames.Frame, int]:
        """Returns the response after `cursor`, which the ring holds, and the cursor after it.

        Encoded once for all who stand alike.
        """
        version = self.view_version if self.view_version > view_seen else 0
        # With the same head the same cursor reads the same events: what a full ring drops lies before it.
        key = (type(codec), cursor, self.ring.head, version)
        if (made := self._bodies.get(key)) is None:
            stretches = self.ring.after(cursor, max_bytes=self._max_batch_bytes)
            through = stretches[-1].last if stretches else cursor
            pieces = [stretch.piece for stretch in stretches]
            made = codec.body(pieces, through_sequence=through, view=self._view if version else None), through
            self._keep(key, made)
        return made

    def _keep(self, key: _BodyKey, made: tuple[frames.Frame, int]) -> None:
        self._bodies[key] = made
        if len(self._bodies) > _BODIES:
            self._bodies.popitem(last=False)
