"""The frame around every stage: its first and its last event. What a stage raises ends the build."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from langgraph.runtime import Runtime

from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.state import State

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
        desk.emit(stage_finished=_finished(desk, stage, iteration, result))
        update = result.update
        update["node"] = name
        update["runs"] = {name: iteration}
        return update

    return play


def _finished(desk: Desk, stage: "Stage", iteration: int, result: Result) -> life.StageFinished:
    return life.StageFinished(
        stage=stage,
        iteration=iteration,
        outcome=Outcome.OUTCOME_NEEDS_WORK if result.needs_work else Outcome.OUTCOME_DONE,
        summary=result.summary,
        tree_hash=bytes.fromhex(desk.workspace.tree_hash()),
    )
