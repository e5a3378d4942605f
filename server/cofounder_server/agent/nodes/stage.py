"""The frame around every stage. What a stage raises ends the build.

A stage's end is no event of its own here: it goes into the state, and is told once that state is safe. Before, its
tree is kept, so that what the log names exists.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

from langgraph.runtime import Runtime

from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.state import Ended, State

Outcome = life.StageFinished.Outcome


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage led to: how the state changes, and one line for a person."""

    update: State
    summary: str
    needs_work: bool = False


Body = Callable[[Desk, State], Awaitable[Result]]


class Node(Protocol):
    """A node as the graph calls it."""

    def __call__(self, state: State, *, runtime: Runtime[Desk]) -> Awaitable[State]: ...


def node(name: str, stage: "Stage", body: Body) -> Node:
    """Returns the node of the graph that plays `body` as a stage."""

    async def play(state: State, *, runtime: Runtime[Desk]) -> State:
        desk = runtime.context
        desk.write = runtime.stream_writer
        iteration = state["runs"].get(name, 0) + 1
        desk.emit(stage_started=life.StageStarted(stage=stage, iteration=iteration))
        result = await body(desk, state)
        tree = await desk.trees.keep(desk.workspace)
        update = result.update
        update["node"] = name
        update["runs"] = {name: iteration}
        update["ended"] = Ended(
            attempt=desk.caller.attempt,
            stage=stage,
            iteration=iteration,
            outcome=Outcome.OUTCOME_NEEDS_WORK if result.needs_work else Outcome.OUTCOME_DONE,
            summary=result.summary,
            tree=tree.hex(),
        )
        return update

    return play


def told(ended: Ended) -> life.StageFinished:
    """Returns the event that tells of a stage's end."""
    return life.StageFinished(
        stage=cast("Stage", ended["stage"]),
        iteration=ended["iteration"],
        outcome=cast("Outcome", ended["outcome"]),
        summary=ended["summary"],
        tree_hash=bytes.fromhex(ended["tree"]),
    )
