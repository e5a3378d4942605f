"""Each guard of the queue and the log shown to be needed: without it, a check fails that the product passes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cofounder_server.builds.log import Log
from cofounder_server.builds.queue import Queue
from cofounder_testkit import many_jobs, unguarded, workshop
from cofounder_testkit.checker import PromiseBroken
from cofounder_testkit.ledger import Noted

JOBS, USERS = 120, 12
# Long enough for a worker that drains to have builds to give back.
LONG_SECONDS = 0.5

Show = Callable[[Path], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard: the check's verdict on the product, and on a variant without it; None: everything holds."""

    name: str
    product: Show
    variant: Show


@dataclass(frozen=True, slots=True)
class Shown:
    """What a check said of the product, and of the variant."""

    name: str
    product: str | None
    variant: str | None

    @property
    def holds(self) -> bool:
        return self.product is None and self.variant is not None


def _claims(queue: type[Queue]) -> Show:
    async def show(data: Path) -> str | None:
        async with workshop.prepared(data) as made:
            return await _verdict(unguarded.claim_and_die(made.base, made.valkey.url, queue))

    return show


def _appends(log: type[Log]) -> Show:
    async def show(data: Path) -> str | None:
        async with workshop.prepared(data) as made:
            return await _verdict(unguarded.append_as_zombie(made.base, log(made.base.pool)))

    return show


def _jobs(queue: type[Noted], *, seconds: float = many_jobs.BUILD_SECONDS) -> Show:
    async def show(data: Path) -> str | None:
        outcome = await many_jobs.play(data, jobs=JOBS, users=USERS, seed=1, seconds=seconds, queue=queue)
        return outcome.broken

    return show


async def _verdict(work: Awaitable[None]) -> str | None:
    try:
        await work
    except PromiseBroken as broken:
        return str(broken)
    return None


GUARDS = (
    Guard("claim with its lease in one step", _claims(Queue), _claims(unguarded.PopThenLease)),
    Guard("append under the fence", _appends(Log), _appends(unguarded.Unfenced)),
    Guard("permits taken where they are counted", _jobs(Noted), _jobs(unguarded.CheckThenAdd)),
    Guard(
        "requeued to its old place",
        _jobs(Noted, seconds=LONG_SECONDS),
        _jobs(unguarded.NewPlace, seconds=LONG_SECONDS),
    ),
)


async def show(guard: Guard, data: Path) -> Shown:
    """Checks the product, and the variant."""
    product = await guard.product(data / "product")
    variant = await guard.variant(data / "variant")
    return Shown(guard.name, product, variant)


def line(shown: Shown) -> str:
    """Returns what was shown as one line."""
    product = f"BROKEN  {shown.product}" if shown.product else "holds"
    variant = f"caught: {shown.variant}" if shown.variant else "NOT CAUGHT"
    return f"{shown.name:<38} product {product}; without it {variant}"
