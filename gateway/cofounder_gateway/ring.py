"""The newest stretches of one build's log, bounded in bytes, and what a cursor may read of them."""

from collections import deque
from dataclasses import dataclass, field

from cofounder_gateway import frames


@dataclass(frozen=True, slots=True)
class Stretch:
    """Every event after `after` up to `last`, encoded; none if the two are equal."""

    after: int
    last: int
    piece: frames.Piece
    over: bool = False

    @classmethod
    def of(cls, *, after: int, last: int, events: bytes, over: bool = False) -> "Stretch":
        return cls(after, last, frames.Piece(events), over)

    @property
    def size(self) -> int:
        return len(self.piece.events)

    def following(self, cursor: int, *, max_bytes: int) -> "Stretch":
        """Returns what stands after `cursor`, up to about `max_bytes` and one event at least.

        Raises:
            frames.BadEvents: the bytes hold fewer events than the sequences say.
        """
        if cursor == self.after and self.size <= max_bytes:
            return self
        start, stop, count = frames.cut(self.piece.events, skip=cursor - self.after, max_bytes=max_bytes)
        last = cursor + count
        return Stretch.of(
            after=cursor, last=last, events=self.piece.events[start:stop], over=self.over and last == self.last
        )

    def until(self, last: int) -> "Stretch":
        """Returns what stands up to `last`. Raises frames.BadEvents."""
        if last == self.last:
            return self
        most = last - self.after
        _, stop, count = frames.cut(self.piece.events, skip=0, max_bytes=self.size, most=most)
        return Stretch.of(after=self.after, last=self.after + count, events=self.piece.events[:stop])


@dataclass(slots=True)
class Ring:
    """Contiguous stretches from `base` to `head`. What a full ring lets go is still in the log.

    `base` and `head` are None until the build is known to be followed; then a cursor from `base` on can be
    served from here, one below it must read the log first.
    """

    max_bytes: int
    base: int | None = None
    head: int | None = None
    over: bool = False
    size: int = 0
    _stretches: deque[Stretch] = field(default_factory=deque)

    def push(self, stretch: Stretch) -> None:
        """Takes the next stretch; a gap before it empties the ring, so that cursors read the log instead."""
        if self.head is None or stretch.after > self.head:
            self._restart(stretch.after)
        if self.head is not None and stretch.last > self.head:
            self._append(stretch.following(self.head, max_bytes=max(stretch.size, 1)))
        if stretch.over and stretch.last == self.head:
            self.over = True

    def extend(self, stretch: Stretch) -> None:
        """Takes what was read from the log, if it leads up to `base` and there is room: later readers find it."""
        if self.base is None or not stretch.after < self.base <= stretch.last:
            return
        before = stretch.until(self.base)
        if self.size + before.size <= self.max_bytes:
            self._stretches.appendleft(before)
            self.size += before.size
            self.base = before.after

    def holds(self, cursor: int) -> bool:
        """Tells whether a cursor needs nothing from the log."""
        return self.base is not None and cursor >= self.base

    def after(self, cursor: int, *, max_bytes: int) -> list[Stretch]:
        """Returns contiguous stretches right after `cursor`, about `max_bytes` of them; `holds(cursor)` is due."""
        found: list[Stretch] = []
        room = max_bytes
        for stretch in self._from(cursor):
            if found and stretch.size > room:
                break
            found.append(stretch.following(max(cursor, stretch.after), max_bytes=room))
            room -= found[-1].size
            if room <= 0 or found[-1].last < stretch.last:
                break
        return found

    def _from(self, cursor: int) -> list[Stretch]:
        # From the new end: a watcher in step wants the last one or two of what may be thousands.
        wanted: list[Stretch] = []
        for stretch in reversed(self._stretches):
            if stretch.last <= cursor:
                break
            wanted.append(stretch)
        wanted.reverse()
        return wanted

    def _append(self, stretch: Stretch) -> None:
        self._stretches.append(stretch)
        self.head = stretch.last
        self.size += stretch.size
        while self.size > self.max_bytes:
            dropped = self._stretches.popleft()
            self.size -= dropped.size
            self.base = dropped.last

    def _restart(self, base: int) -> None:
        self._stretches.clear()
        self.size = 0
        self.base = self.head = base
