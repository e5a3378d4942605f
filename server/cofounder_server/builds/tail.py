"""The newest part of one build's log, shared by all its readers in this process."""

from collections import deque
from collections.abc import Callable
from uuid import UUID

from cofounder.runner.v1.build_view_pb2 import BuildView
from cofounder_server.builds.model import Stretch

RING_BYTES = 1024 * 1024
JOIN_BYTES = 256 * 1024


class Tail:
    """A bounded ring of contiguous stretches: every event after `base`, up to `last`.

    `head` is the newest event known to be committed; it is beyond `last` when the wire lost something, and readers
    then go to the log. Listeners are called whenever `head`, `over` or `view` changes; they must only take note.
    """

    def __init__(self, build_id: UUID) -> None:
        self.build_id = build_id
        self.base = self.last = self.head = 0
        # True if `head` is the terminal event.
        self.over = False
        # What is true just now besides the log, None until there is something to show; and what was announced last,
        # which says the same but for the time that passed. Replaced, never changed.
        self.view: BuildView | None = None
        self.announced: BuildView | None = None
        self.listeners: set[Callable[[UUID], None]] = set()
        self._ring: deque[Stretch] = deque()
        self._bytes = 0

    def offer(self, stretch: Stretch) -> None:
        """Takes what came over the wire: drops what it has, keeps what follows, begins anew after a gap."""
        if stretch.last <= self.last:
            return
        if stretch.after != self.last:
            self._begin(stretch.after)
        self._ring.append(stretch)
        self._bytes += len(stretch.body)
        self.last = stretch.last
        while self._bytes > RING_BYTES and len(self._ring) > 1:
            oldest = self._ring.popleft()
            self._bytes -= len(oldest.body)
            self.base = oldest.last
        self.learn(stretch.last, stretch.over)

    def learn(self, head: int, over: bool) -> None:
        """Takes what a poll of the heads says."""
        if head < self.head or (head == self.head and over == self.over):
            return
        self.head, self.over = head, over
        if over:
            self.view = self.announced = None
        if not self._ring and self.base < head:
            self.base = self.last = head
        self._call()

    def show(self, view: BuildView, *, is_news: bool = True) -> None:
        """Takes what is true just now, and announces it if it is news. Who comes late is shown it in any case."""
        self.view = view
        if is_news:
            self.announced = view
            self._call()

    def after(self, cursor: int) -> Stretch | None:
        """Returns what the ring holds after `cursor`, joined up to 256 KiB; empty if the cursor is at the head.

        None if the ring cannot tell: it does not reach back to the cursor, the cursor is inside a stretch, or the
        wire lost what follows. The log can.
        """
        if cursor == self.head:
            return Stretch(self.build_id, cursor, cursor, b"", self.over)
        bodies: list[bytes] = []
        size, last = 0, cursor
        for stretch in self._from(cursor):
            bodies.append(stretch.body)
            last = stretch.last
            size += len(stretch.body)
            if size >= JOIN_BYTES:
                break
        if not bodies:
            return None
        return Stretch(self.build_id, cursor, last, b"".join(bodies), self.over and last == self.head)

    def _from(self, cursor: int) -> list[Stretch]:
        """Returns the ring from the stretch that begins at `cursor`. Readers are mostly near its end: look there."""
        found: list[Stretch] = []
        for stretch in reversed(self._ring):
            found.append(stretch)
            if stretch.after == cursor:
                return found[::-1]
            if stretch.after < cursor:
                break
        return []

    def _call(self) -> None:
        for listener in tuple(self.listeners):
            listener(self.build_id)

    def _begin(self, base: int) -> None:
        self._ring.clear()
        self._bytes = 0
        self.base = self.last = base
