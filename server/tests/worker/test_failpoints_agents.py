"""T-5 with the agents themselves: a worker that dies around any durable step of theirs repeats nothing finished.

The scripted model is in this process and outlives the workers, so it hears every call of all of them.
"""

import asyncio
import dataclasses
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder_server.agent import sandbox
from cofounder_server.agent.workspace import Workspace
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.builds import fold
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.clock import WallClock
from cofounder_server.ledger.model import UNLIMITED, Scope
from cofounder_server.ledger.store import Ledger
from cofounder_server.testing import agents
from cofounder_server.testing.anthropic_wire import Answer, AnthropicWire, Call
from cofounder_server.testing.cast import FAILING, PASSING, Cast, file, project
from cofounder_server.usage.meter import Meter, Metering
from cofounder_server.usage.prices import PriceTable
from cofounder_server.worker.close import Closer

pytestmark = pytest.mark.integration

# What the agents need in all: the first tests fail, and are put right.
CALLS = 5
FINAL = {"app.py": b"x = 1\n", "tests/__init__.py": b"", "tests/test_app.py": PASSING.encode()}

REPAIRS = "The cause is known."


def steady(call: Call) -> Answer:
    """Says the same however often it is asked: the coder's answer depends on whether the debugger has spoken."""
    coder = file("tests/test_app.py", PASSING) if REPAIRS in call.messages else project(FAILING)
    return Cast(coder=[coder], debugger=[REPAIRS])(call)


# Where the worker dies: in the middle of the build, and at its end.
ONCE = [
    *(f"blobs.put.{when}=crash:3" for when in ("before", "after")),
    *(f"tree.keep.{when}=crash:4" for when in ("before", "after")),
    *(f"checkpoint.save.{when}=crash:5" for when in ("before", "after")),
    *(f"commits.keep.{when}=crash" for when in ("before", "after")),
]
# Where the next worker dies as well, while it takes up what the first had left.
TWICE = [
    *(("tree.keep.before=crash:5", f"build.resume.{when}=crash") for when in ("before", "after")),
    *(("tree.keep.before=crash:5", f"tree.rebuild.{when}=crash") for when in ("before", "after")),
    *(("build.finish.before=crash", f"commits.rebuild.{when}=crash") for when in ("before", "after")),
]


@pytest.fixture
def dies(database: str, redis_url: str, tmp_path: Path):
    """Runs a worker on a disk of its own until its failpoint ends it."""

    async def worker(wire: AnthropicWire, failpoint: str) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": database,
            "REDIS_URL": redis_url,
            "COFOUNDER_DATA": str(tmp_path / failpoint.partition("=")[0]),
            "COFOUNDER_FAILPOINTS": failpoint,
            "COFOUNDER_LEASE_SECONDS": "3",
            "COFOUNDER_HEARTBEAT_SECONDS": "0.2",
            "COFOUNDER_ALLOW_WEAK_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": wire.base_url,
            "ANTHROPIC_API_KEY": "sk-test",
        }
        command = [sys.executable, "-m", "cofounder_server.testing", "work"]
        dying = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(90):
            assert await dying.wait() == -9

    return worker


async def played(house, dies, folder: Path, failpoints: tuple[str, ...], meter: Metering | None = None):
    """Plays a build whose workers die, one after the other, and the last does not: its id, events, and calls."""
    isolation = await sandbox.probe()
    hands = sandbox.choose(isolation, rehearsal=True, allow_weak=True, production=False)
    blobs = Blobs(PostgresStore(house.pool), WallClock())
    build_id = await house.start()
    # Those that die have a short lease. The last one is in this process, where a busy moment must not cost it its own.
    house = dataclasses.replace(house, queue=Queue(house.client, lease_seconds=30))
    sweeping = asyncio.create_task(house.sweeper.run())
    try:
        async with AnthropicWire(choose=steady) as wire:
            for failpoint in failpoints:
                await dies(wire, failpoint)
            keep = {"blobs": blobs, "saver": house.checkpoints.saver, "meter": meter}
            async with (
                agents.runner(wire.base_url, folder / "last", hands, **keep) as runner,
                house.worker(runner=runner),
            ):
                events = await house.over(build_id)
            return build_id, events, len(wire.calls)
    finally:
        sweeping.cancel()


@pytest.mark.parametrize("failpoints", [*((one,) for one in ONCE), *TWICE], ids=" then ".join)
async def test_nothing_that_was_finished_is_repeated_and_the_result_is_the_same(
    house, checked, dies, tmp_path: Path, failpoints: tuple[str, ...]
):
    """Examples 39, 173; issue 5, 4."""
    build_id, events, calls = await played(house, dies, tmp_path, failpoints)
    kinds = checked(events)
    assert kinds[-1] == "build_succeeded"
    assert finished_once(events)
    # Only what a worker died in may be asked again.
    assert kinds.count("attempt_started") - 1 == died_in_an_attempt(failpoints)
    assert CALLS <= calls <= CALLS + len(failpoints)
    assert [event.stage_finished for event in events if event.HasField("stage_finished")][-1].tree_hash == (
        await final_tree(house, tmp_path)
    )
    assert (await Builds(house.pool).get(build_id))[1].files == fold.fold(events).files
    assert commits(tmp_path / "last" / "repositories" / str(build_id)) == [events[-1].build_succeeded.commit_sha]


class Later(WallClock):
    """A clock by which every reservation has expired."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


@pytest.mark.parametrize("step", ["reserve", "ask", "settle"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_20_a_worker_that_dies_between_reserve_and_settle_leaves_every_call_booked_once_or_given_back(
    house, checked, dies, tmp_path: Path, step: str, when: str
):
    """Example 171: swept or booked, never both, never neither; the user pays once for each step."""
    ledger, prices = Ledger(house.pool), PriceTable()
    breaker = {"reservation_seconds": 600.0, "global_microdollars": UNLIMITED}
    meter = Meter(house.pool, ledger, prices, WallClock(), new_id=uuid7, **breaker)
    build_id, events, calls = await played(house, dies, tmp_path, (f"ledger.{step}.{when}=crash:2",), meter)
    assert checked(events)[-1] == "build_succeeded"
    await Closer(ledger, house.log, prices, Later(), sweep_seconds=1).close()
    rows = await house.pool.fetch("select * from usage_logs where build_id = $1", build_id)
    assert {row["state"] for row in rows} <= {"settled", "estimated", "released"}, "nothing is left open"
    answered = [row for row in rows if row["outcome"] == "answered"]
    assert len({(row["stage"], row["role"]) for row in answered}) == 4, "coder twice, each other once"
    assert calls <= sum(row["asked"] for row in rows) <= calls + 1, "what left was written down before"
    named = {event.usage_recorded.ledger_id for event in events if event.HasField("usage_recorded")}
    assert named <= {str(row["ledger_id"]) for row in rows}
    paid = sum(row["cost_microdollars"] for row in rows if not row["platform_borne"])
    totals = await ledger.totals(Scope.BUILD, str(build_id))
    assert (totals.spent_microdollars, totals.reserved_microdollars) == (paid, 0)


def died_in_an_attempt(failpoints: tuple[str, ...]) -> int:
    """How many of the workers died after their attempt had begun."""
    return sum(not failpoint.startswith("build.resume") for failpoint in failpoints)


def finished_once(events: list[BuildEvent]) -> bool:
    """True if no stage began again once its end stood in the log, and each attempt kept through such an end."""
    ended: dict[tuple[int, int], int] = {}
    for event in events:
        if event.HasField("stage_started"):
            assert (event.stage_started.stage, event.stage_started.iteration) not in ended
        elif event.HasField("stage_finished"):
            ended[event.stage_finished.stage, event.stage_finished.iteration] = event.sequence
        elif event.HasField("attempt_started") and event.attempt > 1:
            assert event.attempt_started.kept_through_sequence == max(ended.values(), default=0)
    return True


async def final_tree(house, folder: Path) -> bytes:
    (folder / "expected").mkdir()
    space = Workspace(folder / "expected")
    space.write_all(FINAL)
    return await house.trees.keep(space)


def commits(repository: Path) -> list[str]:
    shown = subprocess.run(["git", "-C", str(repository), "log", "--format=%H"], capture_output=True, check=True)
    return shown.stdout.decode().split()
