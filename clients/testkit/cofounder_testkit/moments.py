"""The moments of a build at which somebody may die: found by playing one, so that a new step is a new moment."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from cofounder_server.testing.failpoints import MOMENTS
from cofounder_testkit import aftermath, order, watch
from cofounder_testkit.house import House

# Reached by workers that have nothing to do, too.
CLAIM = "queue.claim"
CURTAIN = f"{CLAIM}.before"
# A step that is reached again and again is also met in the middle of a build.
MIDDLE = 3
PLACES = ("server", "worker")


@dataclass(frozen=True, slots=True)
class Moment:
    """Just before or after a step, in a server or a worker, at the n-th time that the build comes there."""

    place: str
    point: str
    nth: int = 1

    @property
    def name(self) -> str:
        return f"{self.point}@{self.place}" + (f"#{self.nth}" if self.nth > 1 else "")


async def of_a_build(house: House) -> list[Moment]:
    """Plays a build, slowed by being held for an instant at each moment; returns those that it came to."""
    for point in MOMENTS:
        house.holds.want(point)
    counting = asyncio.create_task(_count(house))
    build_id = await order.start(house.address)
    await watch.over_grpc(house.address, build_id)
    await aftermath.clean(house.queue, house.client)
    counting.cancel()
    [counts] = await asyncio.gather(counting, return_exceptions=True)
    assert isinstance(counts, Counter)
    house.holds.clear()
    return [moment for place in PLACES for point in MOMENTS for moment in _moments(place, point, counts[place, point])]


def _moments(place: str, point: str, count: int) -> list[Moment]:
    often = place == "worker" and count >= MIDDLE and not point.startswith(CLAIM)
    return [Moment(place, point)] * (count > 0) + [Moment(place, point, MIDDLE)] * often


async def _count(house: House) -> Counter[tuple[str, str]]:
    """Counts who comes where, until cancelled."""
    counts: Counter[tuple[str, str]] = Counter()
    try:
        while True:
            for held in house.holds.held():
                [place] = [place for place in PLACES if held.pid in house.pids(place)]
                counts[place, held.moment] += 1
                house.holds.want(held.moment)
                held.release()
            await asyncio.sleep(0.001)
    except asyncio.CancelledError:
        return counts
