"""How well the likely starts of waiting builds hold: a queue in virtual time, foretold by the server's own core.

Builds of three plans and many users come at random, take skewed random times and start as the queue starts them. Each
that has to wait is given a forecast when it comes, out of nothing but what has ended by then; builds that come later
and go first by their plan's head start are part of the truth that it meets.
"""

import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from cofounder_server.builds.forecasts import JUDGED, Judged, judge
from cofounder_server.builds.line import Durations, Limits, Line, Reason, Running, Waiting
from cofounder_server.builds.position import Correction, Estimate, survey
from cofounder_server.builds.schedule import Schedule

PLANS = {"bootstrapper": Limits(2, 2, 5), "partner": Limits(3, 3, 50), "cto_scale": Limits(10, 5, 200)}
HEAD_STARTS = {"bootstrapper": 0.0, "partner": 300.0, "cto_scale": 600.0}  # seconds
SLOTS = 4
USERS = 24
# Durations are log-normal: of the middle one in seconds, and how skewed they are.
MIDDLE, SKEW = 240.0, 0.9
# How much work comes, in what the workers can do: most builds wait, and the line ends now and then.
LOAD = 0.9
KEPT_PAST = 300


@dataclass(slots=True)
class _World:
    """A queue, its workers and its past, at a moment of virtual time."""

    chance: random.Random
    now: float = 0.0
    came: int = 0
    # By priority: when it came, less the head start.
    waiting: dict[UUID, tuple[float, float, Waiting]] = field(default_factory=dict)
    running: dict[UUID, tuple[float, float, Waiting]] = field(default_factory=dict)
    past: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def line(self) -> Line:
        ordered = sorted(self.waiting.values(), key=lambda each: (each[0], each[2].build_id))
        running = [Running(*build[:4], self.now - start) for start, _, build in self.running.values()]
        return Line([build for _, _, build in ordered], running, PLANS, SLOTS)

    def come(self) -> UUID:
        user = self.chance.randrange(USERS)
        plan = list(PLANS)[user % 3]
        self.came += 1
        # As a UUIDv7 does, the id grows with time.
        build_id = UUID(int=self.came << 64 | self.chance.getrandbits(64))
        build = Waiting(build_id, f"user {user}", UUID(int=2 * user + self.chance.randrange(2)), plan)
        self.waiting[build_id] = self.now - HEAD_STARTS[plan], self.now, build
        return build_id

    def start(self) -> dict[UUID, float]:
        """Starts what the queue would start now, and returns how long each has waited."""
        line, waits = self.line(), {}
        for build, (reason, _) in zip(line.waiting, Schedule(line).reasons(), strict=True):
            if reason is Reason.NEXT:
                _, came, _ = self.waiting.pop(build.build_id)
                end = self.now + self.chance.lognormvariate(0.0, SKEW) * MIDDLE
                self.running[build.build_id] = self.now, end, build
                waits[build.build_id] = self.now - came
        return waits

    def next_end(self) -> float:
        return min((end for _, end, _ in self.running.values()), default=float("inf"))

    def end(self) -> None:
        """Ends the build whose time has come."""
        build_id = min(self.running, key=lambda each: self.running[each][1])
        start, end, build = self.running.pop(build_id)
        self.past[build.plan_slug] = [*self.past[build.plan_slug], end - start][-KEPT_PAST:]


def measure(*, builds: int, seed: int) -> list[Judged]:
    """Plays until `builds` that had been given a forecast have started, and returns those forecasts."""
    world = _World(random.Random(seed))
    mean = MIDDLE * math.exp(SKEW**2 / 2)
    told: dict[UUID, tuple[Estimate, Correction]] = {}
    found: list[Judged] = []
    coming = 0.0
    while len(found) < builds:
        came = None
        if coming <= world.next_end():
            world.now = coming
            coming += world.chance.expovariate(LOAD * SLOTS / mean)
            came = world.come()
        else:
            world.now = world.next_end()
            world.end()
        found += [
            Judged(*told.pop(build_id), waited, True) for build_id, waited in world.start().items() if build_id in told
        ]
        if came in world.waiting:
            correction = judge(found[-JUDGED:]).correction
            place = survey(world.line(), Durations(world.past), {came}, correction)[came]
            if place.estimate is not None:
                told[came] = place.estimate, correction
    return found
