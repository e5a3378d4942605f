"""The runner that plays the agents: models write, the sandbox runs, git keeps."""

import contextlib
import json
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import cast

from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_control_pb2 import ConvergenceMeasured
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import graph, llm, state, workspace
from cofounder_server.agent.checkpoints import Checkpoints
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.nodes import git_manager
from cofounder_server.agent.play import play
from cofounder_server.agent.repository import Repository
from cofounder_server.agent.runner import BuildOrder, Caller
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.agent.trees import Trees
from cofounder_server.builds.model import StageEnd
from cofounder_server.clock import Clock

ITERATIONS = 6
_MOST_FAILURES = 50


class RunnerReal:
    """Plays builds in folders of their own below `data`.

    Args:
        trees: Keep what each stage leaves, for any worker.
        checkpoints: Keep the state after each stage, likewise.
        data: `workspaces/<build>/<attempt>` holds what an attempt works on, `repositories/<build>` what it led to.
        iterations: How often the coder may be asked in one build.
        keep: Whether the workspace stays when an attempt is over.
    """

    def __init__(
        self,
        *,
        models: llm.Models,
        sandbox: Sandbox,
        trees: Trees,
        checkpoints: Checkpoints,
        data: Path,
        clock: Clock,
        iterations: int = ITERATIONS,
        keep: bool = False,
    ) -> None:
        self._models = models
        self._sandbox = sandbox
        self._trees = trees
        self._checkpoints = checkpoints
        self._data = data
        self._clock = clock
        self._iterations = iterations
        self._keep = keep

    async def run(
        self, caller: Caller, order: BuildOrder, after: StageEnd | None = None
    ) -> AsyncGenerator[BuildEvent, None]:
        """Plays the pipeline in a fresh workspace, or in that of a finished stage, made again. See `BuildRunner`."""
        desk = self._desk(caller, fresh=True)
        try:
            reached = [state.begin(order.goal) if after is None else await self._take_up(desk, after)]
            pipeline = await self._pipeline(caller, None if after is None else reached[0])
            playing = play(pipeline, desk, reached, reached[0] if after is None else None, durability="sync")
            async with contextlib.aclosing(playing) as events:
                async for event in events:
                    yield event
            for event in await self._end(desk, reached[0]):
                yield event
        finally:
            if not self._keep:
                self._clear(caller)

    async def step(self, caller: Caller, order: BuildOrder, stage: "Stage") -> AsyncGenerator[BuildEvent, None]:
        """Plays one stage on what the attempt's former steps left, and leaves what it led to. See `BuildRunner`."""
        name = Stage.Name(stage).removeprefix("STAGE_").lower() if stage in Stage.values() else ""
        if name not in graph.STAGES:
            raise errors.InvalidRequest({"stage": f"must be one of {', '.join(graph.STAGES)}"})
        desk = self._desk(caller, fresh=False)
        kept = self._attempt(caller).with_suffix(".json")
        begun = json.loads(kept.read_text()) if kept.exists() else state.begin(order.goal)
        reached = [cast("state.State", begun)]
        async with contextlib.aclosing(play(graph.single(name), desk, reached, reached[0])) as events:
            async for event in events:
                yield event
        kept.write_text(json.dumps(reached[0]))

    async def _pipeline(self, caller: Caller, taken_up: state.State | None) -> graph.Graph:
        """Returns the graph on this attempt's own thread, which begins with the state that was taken up."""
        thread = self._checkpoints.thread(caller)
        pipeline = graph.pipeline(iterations=self._iterations, saver=self._checkpoints.saver)
        if taken_up is not None:
            # As if the stage had just ended here.
            await pipeline.aupdate_state(thread, taken_up, as_node=taken_up["node"])
        return pipeline.with_config(thread)

    async def _take_up(self, desk: Desk, after: StageEnd) -> state.State:
        """Makes workspace and repository as they were at the end of a stage; returns the state."""
        kept = await self._checkpoints.state_after(after)
        if kept is None:
            raise LookupError(f"the checkpoint of event {after.sequence} is gone")
        await self._trees.rebuild(after.tree_hash, desk.workspace)
        if kept["commits"]:
            await self._trees.rebuild_commits(bytes.fromhex(kept["bundle"]), desk.repository, branch=kept["branch"])
            await git_manager.set_out(desk)
        return kept

    def _attempt(self, caller: Caller) -> Path:
        return self._data / "workspaces" / caller.build_id / str(caller.attempt)

    def _desk(self, caller: Caller, *, fresh: bool) -> Desk:
        if fresh:
            self._clear(caller)
        root = self._attempt(caller)
        root.mkdir(parents=True, exist_ok=True)
        return Desk(
            caller=caller,
            models=self._models,
            sandbox=self._sandbox,
            workspace=workspace.Workspace(root),
            # Beside the workspace: the model and what it wrote never see it (D-8).
            repository=Repository(root.with_suffix(".git")),
            trees=self._trees,
            exported=self._data / "repositories" / caller.build_id,
            clock=self._clock,
            write=_nowhere,
        )

    def _clear(self, caller: Caller) -> None:
        root = self._attempt(caller)
        if root.exists():
            workspace.remove(root)
        shutil.rmtree(root.with_suffix(".git"), ignore_errors=True)
        root.with_suffix(".json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            root.parent.rmdir()

    async def _end(self, desk: Desk, reached: state.State) -> list[BuildEvent]:
        """Returns the last events of a build whose pipeline came to an end."""
        if reached["is_complete"]:
            succeeded = life.BuildSucceeded(commit_sha=reached["commits"][-1], summary=_summary(reached))
            return [BuildEvent(build_succeeded=succeeded)]
        events: list[BuildEvent] = []
        desk.write = events.append
        runs = reached["runs"].get("coder", 0)
        measured = ConvergenceMeasured(
            signal="iterations",
            evidence=f"The coder was asked {runs} times and {_open(reached)}.",
            value=runs,
            limit=self._iterations,
            tripped=True,
        )
        desk.emit(convergence_measured=measured)
        # What there is goes to the repository too, under a message that says what it is.
        await git_manager.commit(desk, reached, git_manager.message(reached, unfinished=True))
        failures = list(_failures(reached))[:_MOST_FAILURES]
        desk.emit(build_partial=life.BuildPartial(summary=_summary(reached), failures=failures))
        return events


def _nowhere(event: BuildEvent) -> None:
    raise RuntimeError(f"{event.WhichOneof('kind')} was written outside of a stage")


def _summary(reached: state.State) -> str:
    tests = reached.get("tests")
    told = f"{tests['passed']} tests pass" if tests and tests["passed"] else "no tests were run"
    if tests and tests["failed"]:
        told = f"{told}, {tests['failed']} fail"
    return f"{reached['title'] or 'The project'}: {told}"


def _open(reached: state.State) -> str:
    count = len(reached["errors"]) or len(reached["findings"])
    what = "failure" if reached["errors"] else "finding of the review"
    return f"{count} {what}{'s are' if count != 1 else ' is'} still open"


def _failures(reached: state.State) -> Iterator[str]:
    for error in reached["errors"]:
        yield f"{error['step']}: {error['type']}: {error['message']}"[:500]
    for finding in reached["findings"]:
        yield finding[:500]
