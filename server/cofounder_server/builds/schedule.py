"""The scheduler, played ahead: who starts when, if every build takes as long as is said. Pure; times are seconds.

It does what the queue does: whenever a worker is free, the first build in line starts whose payer and project are
below the limits of its plan; one that is held back by a limit keeps its place and holds up nobody else.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from heapq import heapify, heappop, heappush

from cofounder_server.builds.line import Line, Reason


class Schedule:
    """A line, made ready to be played many times. Builds are meant by their index in `line.waiting`.

    Builds of one payer, project and limits start in their order, so only the first of each such chain is looked at.
    A build that a limit holds back is parked at a gate, one for each payer (or project) and limit; each end of a build
    lets one through each gate that it may have opened. So a start costs the same however long the line is.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self._users: dict[object, int] = {}
        self._projects: dict[object, int] = {}
        waiting, running = line.waiting, line.running
        self.user = [self._users.setdefault(build.payer_id, len(self._users)) for build in waiting]
        self.project = [self._projects.setdefault(build.project_id, len(self._projects)) for build in waiting]
        self.running_user = [self._users.setdefault(build.payer_id, len(self._users)) for build in running]
        self.running_project = [self._projects.setdefault(build.project_id, len(self._projects)) for build in running]
        limits = [line.limits_of(build) for build in waiting]
        self.user_limit = [limit.user for limit in limits]
        self.project_limit = [limit.project for limit in limits]
        self.held_user = _tally(self.running_user, len(self._users))
        self.held_project = _tally(self.running_project, len(self._projects))
        self.user_gate, self.gates_of_user = _gates(self.user, self.user_limit, first=0)
        # Above all of the payers' gates: both kinds are parked in one place.
        self.project_gate, self.gates_of_project = _gates(self.project, self.project_limit, first=len(waiting))
        self._chain()

    def _chain(self) -> None:
        """Finds who follows whom, who is the first of each chain, and who comes to the line later."""
        waiting = self.line.waiting
        self.heads: list[int] = []
        self.following = [-1] * len(waiting)
        # Encoded so that a number tells what comes; see `_Play`.
        self.arrivals = [(build.due, len(waiting) + index) for index, build in enumerate(waiting) if build.due > 0]
        later = {index - len(waiting) for _, index in self.arrivals}
        lasts: dict[tuple[int, int], int] = {}
        for index, chain in enumerate(zip(self.user_gate, self.project_gate, strict=True)):
            if index in later:
                continue
            last = lasts.get(chain, -1)
            if last < 0:
                self.heads.append(index)
            else:
                self.following[last] = index
            lasts[chain] = index

    def chain_of(self, index: int) -> tuple[int, int]:
        """Returns what builds have in common that start in their order, scheduled ones apart."""
        return self.user_gate[index], self.project_gate[index]

    def reasons(self) -> Iterator[tuple[Reason, int]]:
        """Yields what holds each build back now, once those ahead that can start have started, and the limit of it."""
        held_user, held_project = self.held_user.copy(), self.held_project.copy()
        slots, free = self.line.slots, self.line.slots - len(self.line.running)
        for index, build in enumerate(self.line.waiting):
            user, project = self.user[index], self.project[index]
            if build.due > 0:
                yield Reason.DAY_LIMIT, self.line.limits_of(build).day
            elif held_user[user] >= self.user_limit[index]:
                yield Reason.USER_LIMIT, self.user_limit[index]
            elif held_project[project] >= self.project_limit[index]:
                yield Reason.PROJECT_LIMIT, self.project_limit[index]
            elif free <= 0:
                yield Reason.SYSTEM, slots
            else:
                yield Reason.NEXT, slots
                held_user[user] += 1
                held_project[project] += 1
                free -= 1

    def play(
        self, lengths: Sequence[float], remaining: Sequence[float], *, wanted: Collection[int], most: int
    ) -> dict[int, float]:
        """Returns when builds start, in the order in which they do.

        Ends when all of `wanted` have started, or about `most` of any; those that can never start are left out.

        Args:
            lengths: How long each waiting build takes.
            remaining: How long each running one still takes.
        """
        return _Play(self, lengths, remaining).run(wanted, most)


class _Play:
    """One play of a schedule, from now on."""

    def __init__(self, schedule: Schedule, lengths: Sequence[float], remaining: Sequence[float]) -> None:
        self._schedule = schedule
        self._lengths = lengths
        self._count = len(lengths)
        # What comes: the end of a running build (below 0), of a waiting one, or the arrival of one (from `_count` on).
        self._coming = [(seconds, ~index) for index, seconds in enumerate(remaining)] + schedule.arrivals
        heapify(self._coming)
        self._held_user = schedule.held_user.copy()
        self._held_project = schedule.held_project.copy()
        self._ready = schedule.heads.copy()  # sorted, and so a heap
        self._parked: dict[int, list[int]] = {}
        self._starts: dict[int, float] = {}
        self._free = schedule.line.slots - len(remaining)
        self._now = 0.0

    def run(self, wanted: Collection[int], most: int) -> dict[int, float]:
        starts, ready, coming = self._starts, self._ready, self._coming
        left = len(wanted)
        while True:
            while self._free > 0 and ready:
                index = heappop(ready)
                self._admit(index)
                left -= index in starts and index in wanted
            if not left or not coming or len(starts) >= most:
                return starts
            self._now = coming[0][0]
            # All that comes at one moment comes before anybody starts at it.
            while coming and coming[0][0] <= self._now:
                _, event = heappop(coming)
                if event >= self._count:
                    heappush(ready, event - self._count)
                else:
                    self._end(event)

    def _admit(self, index: int) -> None:
        """Starts a build, or parks it where a limit holds it back."""
        schedule = self._schedule
        user, project = schedule.user[index], schedule.project[index]
        if self._held_user[user] >= schedule.user_limit[index]:
            self._park(index, schedule.user_gate[index])
            # It was perhaps let through the other gate and does not go: the next there may.
            self._open(schedule.project_gate[index])
        elif self._held_project[project] >= schedule.project_limit[index]:
            self._park(index, schedule.project_gate[index])
            self._open(schedule.user_gate[index])
        else:
            self._starts[index] = self._now
            self._free -= 1
            self._held_user[user] += 1
            self._held_project[project] += 1
            heappush(self._coming, (self._now + self._lengths[index], index))
            if (after := schedule.following[index]) >= 0:
                heappush(self._ready, after)

    def _end(self, event: int) -> None:
        schedule = self._schedule
        if event >= 0:
            user, project = schedule.user[event], schedule.project[event]
        else:
            user, project = schedule.running_user[~event], schedule.running_project[~event]
        self._free += 1
        self._held_user[user] -= 1
        self._held_project[project] -= 1
        if self._parked:
            for gate in schedule.gates_of_user[user]:
                self._open(gate)
            for gate in schedule.gates_of_project[project]:
                self._open(gate)

    def _park(self, index: int, gate: int) -> None:
        heappush(self._parked.setdefault(gate, []), index)

    def _open(self, gate: int) -> None:
        """Lets the first build at a gate try again."""
        if parked := self._parked.get(gate):
            heappush(self._ready, heappop(parked))


def _tally(owners: Sequence[int], count: int) -> list[int]:
    held = [0] * count
    for owner in owners:
        held[owner] += 1
    return held


def _gates(owners: Sequence[int], limits: Sequence[int], *, first: int) -> tuple[list[int], dict[int, list[int]]]:
    """Returns the gate of each build, numbered from `first`, and the gates of each owner."""
    gates: dict[tuple[int, int], int] = {}
    of_build = [gates.setdefault(key, first + len(gates)) for key in zip(owners, limits, strict=True)]
    of_owner: dict[int, list[int]] = defaultdict(list)
    for (owner, _), gate in gates.items():
        of_owner[owner].append(gate)
    return of_build, of_owner
