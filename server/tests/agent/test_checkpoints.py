"""Checkpoints: plain data, a thread for each attempt, told of only once stored, and gone on with elsewhere."""

import asyncio
import dataclasses
from pathlib import Path
from uuid import UUID

import asyncpg
import ormsgpack
import pytest
import pytest_asyncio
from langgraph.checkpoint.memory import InMemorySaver

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder_server.agent.checkpoints import CheckpointRefused, Checkpoints, PlainData, Saver, open_saver
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.builds.model import StageEnd
from cofounder_server.clock import WallClock
from cofounder_server.testing import agents
from cofounder_server.testing.agents import CALLER, ORDER, Played
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.cast import FAILING, PASSING, PLAN, Cast, file, project

pytestmark = pytest.mark.integration

LC = (
    '{"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "HumanMessage"], "kwargs": {"content": "x"}}'
)


@pytest_asyncio.fixture
async def saver(database: str):
    async with open_saver(database) as opened:
        yield opened


def ends(events: list[BuildEvent], attempt: int = 1) -> list[StageEnd]:
    """The ends of stages, as a log that holds nothing else but these events would have them."""
    return [
        StageEnd(
            build_id=UUID(CALLER.build_id),
            sequence=sequence,
            attempt=attempt,
            stage=event.stage_finished.stage,
            iteration=event.stage_finished.iteration,
            tree_hash=event.stage_finished.tree_hash,
        )
        for sequence, event in enumerate(events, 1)
        if event.HasField("stage_finished")
    ]


async def until(stream, stages: int) -> list[BuildEvent]:
    """Plays until so many stages have ended and the next has begun, and leaves."""
    events = []
    async for event in stream:
        events.append(event)
        if event.HasField("stage_started") and len(ends(events)) == stages:
            break
    await stream.aclose()
    return events


@pytest.mark.parametrize("ext", range(8))
def test_a_msgpack_extension_that_names_a_function_is_refused(ext: int):
    """Example 69."""
    payload = ormsgpack.packb(("os", "system", "true"))
    with pytest.raises(CheckpointRefused):
        PlainData().loads_typed(("msgpack", ormsgpack.packb({"a": [ormsgpack.Ext(ext, payload)]})))


@pytest.mark.parametrize("kind", ["json", "pickle", "bytes", "bytearray", "other"])
def test_only_plain_data_is_read(kind: str):
    """Examples 67, 69: neither a pickle nor a constructor in JSON."""
    with pytest.raises(CheckpointRefused):
        PlainData().loads_typed((kind, LC.encode()))


async def test_text_that_looks_like_a_constructor_stays_text(saver: Saver, pool: asyncpg.Pool, hands, tmp_path: Path):
    """Example 69."""
    order = dataclasses.replace(ORDER, goal=LC)
    cast = Cast(debugger=[LC], coder=[project(FAILING), file("tests/test_app.py", PASSING)])
    async with AnthropicWire(choose=cast) as wire, agents.runner(wire.base_url, tmp_path, hands, saver=saver) as runner:
        played = await agents.gather(runner.run(CALLER, order))
    state = await Checkpoints(saver).state_after(ends(played.events)[-1])
    assert (state["goal"], state["analysis"]) == (LC, "")
    debugged = await Checkpoints(saver).state_after(ends(played.events)[3])
    assert debugged["analysis"] == LC


async def test_a_refused_checkpoint_is_none(saver: Saver, pool: asyncpg.Pool, hands: Sandbox, tmp_path: Path):
    async with (
        AnthropicWire(choose=Cast()) as wire,
        agents.runner(wire.base_url, tmp_path, hands, saver=saver) as runner,
    ):
        events = await until(runner.run(CALLER, ORDER), 1)
    [end] = ends(events)
    assert await Checkpoints(saver).state_after(end)
    evil = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "system", f"touch {tmp_path}/made"))))
    await pool.execute("update checkpoint_blobs set blob = $1 where channel = 'steps'", evil)
    assert await Checkpoints(saver).state_after(end) is None
    assert not (tmp_path / "made").exists()


async def test_the_end_of_a_stage_is_told_only_once_its_checkpoint_is_stored(hands: Sandbox, tmp_path: Path):
    stored = asyncio.Event()
    asked = asyncio.Event()

    class Slow(InMemorySaver):
        async def aput(self, config, checkpoint, metadata, new_versions):
            if checkpoint["channel_values"].get("ended"):
                asked.set()
                await stored.wait()
            return await super().aput(config, checkpoint, metadata, new_versions)

    told: list[BuildEvent] = []

    async def listen(stream) -> None:
        async for event in stream:
            told.append(event)

    async with (
        AnthropicWire(choose=Cast()) as wire,
        agents.runner(wire.base_url, tmp_path, hands, saver=Slow()) as runner,
    ):
        listening = asyncio.create_task(listen(runner.run(CALLER, ORDER)))
        async with asyncio.timeout(30):
            await asked.wait()
            for _ in range(100):  # everything that could be told without the checkpoint is told
                await asyncio.sleep(0)
            assert ends(told) == []
            stored.set()
            await listening
    assert len(ends(told)) == 5


async def played_on(
    saver: Saver, pool: asyncpg.Pool, hands: Sandbox, folder: Path, cast: Cast, *, stages: int
) -> tuple[list[BuildEvent], Played, AnthropicWire]:
    """Two workers with folders of their own: the first is lost in the stage after `stages` ended ones."""
    blobs = Blobs(PostgresStore(pool), WallClock())
    keep = {"saver": saver, "blobs": blobs}
    async with AnthropicWire(choose=cast) as wire:
        async with agents.runner(wire.base_url, folder / "one", hands, **keep) as runner:
            before = await until(runner.run(CALLER, ORDER), stages)
        second = dataclasses.replace(CALLER, attempt=2, generation=3)
        async with agents.runner(wire.base_url, folder / "two", hands, **keep) as runner:
            after = await agents.gather(runner.run(second, ORDER, ends(before)[-1]))
    return before, after, wire


@pytest.mark.parametrize("stages", range(1, 8))
async def test_another_worker_goes_on_after_the_last_finished_stage(saver, pool, hands, tmp_path: Path, stages: int):
    """Issue 5, 4: nothing before is played or asked again, and the result is the same."""
    cast = Cast(coder=[project(FAILING), file("tests/test_app.py", PASSING)])
    before, after, _ = await played_on(saver, pool, hands, tmp_path, cast, stages=stages)
    assert after.error is None
    whole = ["architect", "coder", "executor", "debugger", "coder", "executor", "reviewer", "git_manager"]
    assert after.stages == whole[stages:]
    assert [len(heard) for heard in cast.heard.values()] == [1, 2, 1, 1]
    assert after.of("stage_finished")[-1].tree_hash == (ends(before) + ends(after.events, 2))[4].tree_hash
    exported = tmp_path / "two" / "repositories" / CALLER.build_id
    assert (exported / "tests/test_app.py").read_text() == PASSING
    assert after.of("build_succeeded")[0].commit_sha == (exported / ".git/refs/heads" / branch()).read_text().strip()


async def test_a_worker_lost_after_the_commit_leaves_that_commit_and_no_other(saver, pool, hands, tmp_path: Path):
    """B-6: one commit. The stage of the commit had ended; only the build's end is left to tell."""
    blobs = Blobs(PostgresStore(pool), WallClock())
    async with AnthropicWire(choose=Cast()) as wire:
        async with agents.runner(wire.base_url, tmp_path / "one", hands, saver=saver, blobs=blobs) as runner:
            first = await agents.gather(runner.run(CALLER, ORDER))
        second = dataclasses.replace(CALLER, attempt=2, generation=3)
        async with agents.runner(wire.base_url, tmp_path / "two", hands, saver=saver, blobs=blobs) as runner:
            after = await agents.gather(runner.run(second, ORDER, ends(first.events)[-1]))
    assert after.kinds == ["build_succeeded"]
    assert after.of("build_succeeded") == first.of("build_succeeded")
    exported = tmp_path / "two" / "repositories" / CALLER.build_id / ".git"
    assert (exported / "refs/heads" / branch()).read_text().strip() == first.of("commit_created")[0].sha


async def test_an_attempt_that_lost_its_lease_writes_to_its_own_thread_only(saver, pool, hands, tmp_path: Path):
    """Two attempts end the same stage with the same tree: each state is found by the attempt that the log names."""
    plans = [PLAN.replace('"T"', f'"{name}"') for name in "AB"]
    cast = Cast(architect=plans)
    async with AnthropicWire(choose=cast) as wire:
        for attempt, generation in ((1, 1), (2, 2)):
            caller = dataclasses.replace(CALLER, attempt=attempt, generation=generation)
            async with agents.runner(wire.base_url, tmp_path, hands, saver=saver) as runner:
                events = await until(runner.run(caller, ORDER), 1)
    [end] = ends(events)
    found = [await Checkpoints(saver).state_after(dataclasses.replace(end, attempt=attempt)) for attempt in (1, 2, 3)]
    assert [state and state["title"] for state in found] == ["A", "B", None]
    threads = await pool.fetch("select distinct thread_id from checkpoints order by 1")
    assert [row["thread_id"] for row in threads] == [f"{CALLER.build_id}:1", f"{CALLER.build_id}:2"]


def branch() -> str:
    return f"build/{CALLER.build_id.replace('-', '')[-12:]}"
