"""Going on: the log decides from where, what is not whole is not gone on from, and what is over leaves nothing."""

import asyncio
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import checkpoints as module
from cofounder_server.agent.state import begin
from cofounder_server.agent.workspace import Workspace
from cofounder_server.app import schema
from cofounder_server.blobs.blobs import address_of
from cofounder_server.builds import framing
from cofounder_server.builds.fork import Forks
from cofounder_server.builds.model import Batch, StageEnd
from cofounder_server.clock import WallClock
from cofounder_server.worker.prune import Pruner

pytestmark = pytest.mark.integration


class Story:
    """A build whose stages the test tells, one after the other: files, checkpoint and log, each if it is asked to."""

    def __init__(self, house, build_id: UUID, space: Workspace) -> None:
        self.house = house
        self.build_id = build_id
        self.space = space
        self.stages = 0

    async def take_up(self, after: StageEnd | None = None):
        self.attempt = await self.house.transitions.begin_attempt(self.build_id, worker_id="w", owner="o", after=after)
        return self.attempt

    async def lose(self) -> None:
        await self.house.transitions.take_back(self.build_id, max_crashes=9)

    async def finish_stage(self, *, checkpoint: bool = True, told: bool = True) -> bytes:
        self.stages += 1
        self.space.write("app.py", b"%d" % self.stages)
        tree = await self.house.trees.keep(self.space)
        if checkpoint:
            await self._save(tree)
        if told:
            finished = life.StageFinished(stage=Stage.STAGE_CODER, iteration=self.stages, tree_hash=tree)
            await self._append(BuildEvent(stage_finished=finished))
        return tree

    async def _save(self, tree: bytes) -> None:
        ended = {
            "attempt": self.attempt.job.attempt,
            "stage": Stage.STAGE_CODER,
            "iteration": self.stages,
            "outcome": 1,
            "summary": "",
            "tree": tree.hex(),
        }
        thread = {"configurable": {"thread_id": f"{self.build_id}:{self.attempt.generation}", "checkpoint_ns": ""}}
        checkpoint = {
            "v": 4,
            "id": f"1f0{self.stages:06}-0000-6000-8000-000000000000",
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": {**begin("g"), "ended": ended},
            "channel_versions": {name: str(self.stages) for name in (*begin("g"), "ended")},
            "versions_seen": {},
        }
        saver = self.house.checkpoints.saver
        await saver.aput(thread, checkpoint, {"source": "loop"}, checkpoint["channel_versions"])

    async def _append(self, event: BuildEvent) -> None:
        head = (await self.house.log.head(self.build_id)).head
        event.attempt = self.attempt.job.attempt
        body = framing.encode([event], after=head, time=WallClock().now())
        batch = Batch(
            build_id=self.build_id,
            append_id=uuid4(),
            expected=head,
            count=1,
            body=body,
            generation=self.attempt.generation,
        )
        [outcome] = await self.house.log.append([batch])
        assert outcome.verdict == "ok"

    async def kept(self) -> list[int]:
        events = await self.house.events(self.build_id)
        return [event.attempt_started.kept_through_sequence for event in events if event.HasField("attempt_started")]


@pytest.fixture
async def story(house, tmp_path) -> Story:
    (tmp_path / "w").mkdir()
    told = Story(house, await house.start(), Workspace(tmp_path / "w"))
    await told.take_up()
    return told


async def test_a_new_attempt_keeps_the_log_through_the_newest_end_of_a_stage(story):
    await story.finish_stage()
    tree = await story.finish_stage()
    sequence = (await story.house.log.head(story.build_id)).head
    await story.lose()
    after = await story.house.resumes.find(story.build_id)
    assert (after.sequence, after.tree_hash) == (sequence, tree)
    assert (await story.take_up(after)).after == after
    assert await story.kept() == [1, sequence]


async def test_a_checkpoint_whose_stage_did_not_end_in_the_log_is_not_used(story):
    """The log is the truth."""
    tree = await story.finish_stage()
    await story.finish_stage(told=False)
    await story.lose()
    assert (await story.house.resumes.find(story.build_id)).tree_hash == tree


@pytest.mark.parametrize("amiss", ["checkpoint", "file", "manifest"])
async def test_what_is_not_whole_is_passed_over_for_the_stage_before(story, pool: asyncpg.Pool, amiss: str):
    first = await story.finish_stage()
    second = await story.finish_stage(checkpoint=amiss != "checkpoint")
    if amiss != "checkpoint":
        victim = second if amiss == "manifest" else address_of(b"2")
        await pool.execute("update blobs set body = 'broken' where address = $1", victim)
    await story.lose()
    after = await story.house.resumes.find(story.build_id)
    assert after.tree_hash == first
    await story.take_up(after)
    assert (await story.kept())[-1] == after.sequence


async def test_without_anything_whole_the_build_begins_anew(story):
    await story.finish_stage(checkpoint=False)
    await story.lose()
    assert await story.house.resumes.find(story.build_id) is None
    assert (await story.take_up(None)).after is None
    assert await story.kept() == [1, 0]


async def test_an_end_that_another_attempt_has_voided_meanwhile_is_not_kept(story):
    """Found before the fence was raised; by then a faster worker has begun anew, and is lost too."""
    await story.finish_stage()
    await story.lose()
    found = await story.house.resumes.find(story.build_id)
    await story.take_up(None)
    await story.lose()
    assert (await story.take_up(found)).after is None
    assert await story.kept() == [1, 0, 0]


async def test_a_lost_attempt_that_ended_nothing_leaves_what_the_one_before_it_ended(story):
    await story.finish_stage()
    await story.lose()
    first = await story.house.resumes.find(story.build_id)
    await story.take_up(first)
    await story.lose()
    assert await story.house.resumes.find(story.build_id) == first


async def test_the_pruner_leaves_nothing_of_builds_that_are_over_or_gone_and_all_of_the_others(
    story, house, pool: asyncpg.Pool, tmp_path
):
    await story.finish_stage()
    (tmp_path / "x").mkdir()
    others = [Story(house, await house.start(), Workspace(tmp_path / "x")) for _ in range(2)]
    for other in others:
        await other.take_up()
        await other.finish_stage()
    await house.transitions.finish(
        others[0].build_id,
        generation=others[0].attempt.generation,
        append_id=uuid4(),
        events=[BuildEvent(build_succeeded=life.BuildSucceeded())],
    )
    await others[0]._save(b"late")  # by a worker that does not know yet
    await pool.execute("delete from builds where build_id = $1", others[1].build_id)
    await Pruner(pool, house.checkpoints, seconds=1).prune()
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        threads = {row["thread_id"] for row in await pool.fetch(f"select thread_id from {table}")}
        assert threads <= {f"{story.build_id}:{story.attempt.generation}"}
    assert await house.resumes.find(story.build_id)


async def test_a_dead_letter_that_is_replayed_goes_on_from_its_last_finished_stage(story, house, pool: asyncpg.Pool):
    """Its fork has a log of its own, and neither files nor state of its own: they are its parent's, and stay."""
    await story.finish_stage()
    tree = await story.finish_stage()
    shared = (await house.log.head(story.build_id)).head
    await house.transitions.take_back(story.build_id, max_crashes=1)
    await Pruner(pool, house.checkpoints, seconds=1).prune()
    fork, _ = await Forks(pool, house.log, house.publisher, house.queue, WallClock()).replay(story.build_id)
    await Pruner(pool, house.checkpoints, seconds=1).prune()
    after = await house.resumes.find(fork)
    assert (after.build_id, after.sequence, after.tree_hash) == (story.build_id, shared, tree)
    attempt = await house.transitions.begin_attempt(fork, worker_id="w", owner="o", after=after)
    assert attempt.after == after
    assert (await house.events(fork))[-1].attempt_started.kept_through_sequence == shared
    await pool.execute("delete from build_snapshots")
    assert await house.resumes.find(fork) == after, "stored folds can be dropped at any time, of a fork too"
    await house.transitions.cancel(fork, user_id="me")
    await house.transitions.hand_back(fork, generation=attempt.generation)
    await Pruner(pool, house.checkpoints, seconds=1).prune()
    assert await pool.fetchval("select count(*) from checkpoints") == 0, "when all is over nothing is left"


async def test_a_fork_without_its_parents_state_begins_anew_and_keeps_nothing(story, house):
    await story.finish_stage(checkpoint=False)
    await house.transitions.take_back(story.build_id, max_crashes=1)
    fork, _ = await Forks(house.pool, house.log, house.publisher, house.queue, WallClock()).replay(story.build_id)
    assert await house.resumes.find(fork) is None
    await house.transitions.begin_attempt(fork, worker_id="w", owner="o")
    assert (await house.events(fork))[-1].attempt_started.kept_through_sequence == 0


async def test_any_number_of_programs_may_migrate_a_new_database_at_once(postgres_dsn: str):
    """The saver makes its indexes concurrently, which waits for whoever holds a snapshot."""
    connection, name = await asyncpg.connect(postgres_dsn), f"test_{uuid4().hex}"
    await connection.execute(f"create database {name}")
    dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    try:
        async with asyncio.timeout(60):
            applied = await asyncio.gather(*(schema.migrate(dsn) for _ in range(4)))
    finally:
        await connection.execute(f"drop database {name} with (force)")
        await connection.close()
    assert sorted(map(len, applied))[:3] == [0, 0, 0]


async def test_the_saver_outlasts_a_connection_that_is_cut(pool: asyncpg.Pool, house, monkeypatch):
    saver = house.checkpoints.saver
    assert await saver.aget_tuple({"configurable": {"thread_id": "x:1"}}) is None
    cut = await pool.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and query like '%from checkpoints%'"
    )
    assert cut
    monkeypatch.setattr(module, "AWAY_SECONDS", 0)
    async with asyncio.timeout(30):
        assert await saver.aget_tuple({"configurable": {"thread_id": "x:1"}}) is None
