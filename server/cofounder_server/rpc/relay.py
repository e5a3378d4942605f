"""What one gateway follows: which builds, from where, and what of them is due."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import UUID

from google.rpc import status_pb2

from cofounder.gateway.v1 import relay_service_pb2 as pb
from cofounder.runner.v1.build_view_pb2 import BuildView
from cofounder_server import errors
from cofounder_server.builds.model import Stretch
from cofounder_server.builds.tail import Tail
from cofounder_server.builds.watch import Watches

# What a message holds at most, one stretch at least; no stretch of a tail is larger than this itself.
MESSAGE_BYTES = 1024 * 1024


@dataclass(slots=True)
class _Follow:
    """A build that is followed: everything up to `cursor` was sent, or is to be read from the log."""

    tail: Tail
    cursor: int
    # Holds the subscription.
    held: AsyncExitStack = field(repr=False)
    # The view that was announced when one was sent last.
    shown: BuildView | None = None


class Relay:
    """The builds that one `RelayBuilds` stream carries.

    Whatever happens only marks a build as due; `next` waits for that and gathers everything that is due into one
    message. So a gateway that reads slowly gets fewer and larger messages, and holds up nobody.
    """

    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self._follows: dict[UUID, _Follow] = {}
        # In the order of becoming due; a dictionary, because a set would not keep it.
        self._due: dict[UUID, None] = {}
        # What is to be sent beside what is due: that a build is now followed, or cannot be.
        self._stretches: list[pb.Stretch] = []
        self._entering: set[UUID] = set()
        self._finished = False
        self._wake = asyncio.Event()

    async def follow(self, build_id: UUID) -> None:
        """Carries a build from now on; one that does not exist is answered by a stretch that says so."""
        if build_id in self._follows or build_id in self._entering:
            return
        self._entering.add(build_id)
        try:
            async with AsyncExitStack() as stack:
                tail = await stack.enter_async_context(self._watches.listen(build_id, self._mark))
                # A build is never without its first event: they are made in one transaction.
                if not tail.head:
                    self.refuse(str(build_id), errors.NotFound("build", str(build_id)))
                    return
                self._stretches.append(as_message(Stretch(build_id, tail.head, tail.head, b"", tail.over)))
                self._wake.set()
                if not tail.over:
                    self._follows[build_id] = _Follow(tail, tail.head, stack.pop_all())
                    # It may have a view already, for others.
                    self._mark(build_id)
        finally:
            self._entering.discard(build_id)

    async def unfollow(self, build_id: UUID) -> None:
        """Carries a build no more; one that is not carried is no error."""
        follow = self._follows.pop(build_id, None)
        self._due.pop(build_id, None)
        if follow is not None:
            await follow.held.aclose()

    async def close(self) -> None:
        """Carries nothing any more."""
        for build_id in tuple(self._follows):
            await self.unfollow(build_id)

    def refuse(self, build_id: str, error: errors.CofounderError) -> None:
        """Lets the gateway know why a build, named as it named it, is not followed."""
        status = status_pb2.Status()
        status.CopyFrom(errors.to_status(error))
        self._stretches.append(pb.Stretch(build_id=build_id, error=status))
        self._wake.set()

    def finish(self) -> None:
        """Lets `next` return None, whatever is due."""
        self._finished = True
        self._wake.set()

    async def next(self) -> pb.RelayBuildsResponse | None:
        """Waits until something is due, and returns it; None once the relay is finished."""
        while not self._finished:
            await self._wake.wait()
            self._wake.clear()
            stretches, self._stretches = self._stretches, []
            views: list[pb.RelayedView] = []
            size = 0
            while self._due and size < MESSAGE_BYTES:
                build_id = next(iter(self._due))
                del self._due[build_id]
                self._look(build_id, views)
                size += await self._take(build_id, stretches)
            if self._due:
                self._wake.set()
            if stretches or views:
                return pb.RelayBuildsResponse(stretches=stretches, views=views)
        return None

    def _look(self, build_id: UUID, views: list[pb.RelayedView]) -> None:
        """Adds the view of one build, if it is a new one."""
        follow = self._follows.get(build_id)
        if follow is not None and follow.tail.view is not None and follow.tail.announced is not follow.shown:
            follow.shown = follow.tail.announced
            views.append(pb.RelayedView(build_id=str(build_id), view=follow.tail.view))

    async def _take(self, build_id: UUID, stretches: list[pb.Stretch]) -> int:
        """Adds what is new in one build, and returns how many bytes that are."""
        follow = self._follows.get(build_id)
        if follow is None:
            return 0
        if follow.cursor >= follow.tail.head and not follow.tail.over:
            return 0
        stretch = follow.tail.after(follow.cursor)
        if stretch is None:
            # The ring does not reach back to the cursor: the gateway reads the log up to the head.
            head = follow.tail.head
            stretch = Stretch(build_id, head, head, b"", follow.tail.over)
        follow.cursor = stretch.last
        stretches.append(as_message(stretch))
        if stretch.over:
            await self.unfollow(build_id)
        elif follow.cursor < follow.tail.head:
            self._mark(build_id)
        return len(stretch.body)

    def _mark(self, build_id: UUID) -> None:
        self._due[build_id] = None
        self._wake.set()


def as_message(stretch: Stretch) -> pb.Stretch:
    """Returns the stretch as it travels; its events stay the bytes they are."""
    return pb.Stretch(
        build_id=str(stretch.build_id),
        after_sequence=stretch.after,
        last_sequence=stretch.last,
        events=stretch.body,
        over=stretch.over,
    )
