"""The pipeline as a graph of six stages, and the one bound on its loops."""

from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.nodes import architect, coder, debugger, executor, git_manager, reviewer
from cofounder_server.agent.nodes.stage import Body, node
from cofounder_server.agent.state import State

# What langgraph compiles to; its type has no use here.
Graph = Any

STAGES: dict[str, tuple["Stage", Body]] = {
    "architect": (Stage.STAGE_ARCHITECT, architect.architect),
    "coder": (Stage.STAGE_CODER, coder.coder),
    "executor": (Stage.STAGE_EXECUTOR, executor.executor),
    "debugger": (Stage.STAGE_DEBUGGER, debugger.debugger),
    "reviewer": (Stage.STAGE_REVIEWER, reviewer.reviewer),
    "git_manager": (Stage.STAGE_GIT_MANAGER, git_manager.git_manager),
}

_Next = Literal["coder", "debugger", "reviewer", "git_manager", "__end__"]


def pipeline(*, iterations: int, saver: BaseCheckpointSaver[str] | None = None) -> Graph:
    """Returns the whole pipeline. It ends early when the coder ran `iterations` times in vain.

    With a saver, the state after each stage is a checkpoint.
    """

    def spent(state: State) -> bool:
        return state["runs"].get("coder", 0) >= iterations

    def after_executor(state: State) -> _Next:
        if state["exit_code"] == 0 and not state["errors"]:
            return "reviewer"
        return "__end__" if spent(state) else "debugger"

    def after_reviewer(state: State) -> _Next:
        if state["is_complete"]:
            return "git_manager"
        return "__end__" if spent(state) else "coder"

    built = StateGraph(State, context_schema=Desk)
    for name, (stage, body) in STAGES.items():
        built.add_node(name, node(name, stage, body))
    built.add_edge(START, "architect")
    built.add_edge("architect", "coder")
    built.add_edge("coder", "executor")
    built.add_conditional_edges("executor", after_executor, ["reviewer", "debugger", END])
    built.add_edge("debugger", "coder")
    built.add_conditional_edges("reviewer", after_reviewer, ["git_manager", "coder", END])
    built.add_edge("git_manager", END)
    # The bound is ours; langgraph's own must not be met before it.
    return built.compile(checkpointer=saver).with_config(recursion_limit=20 + 6 * iterations)


def single(name: str) -> Graph:
    """Returns a graph of one stage."""
    stage, body = STAGES[name]
    built = StateGraph(State, context_schema=Desk)
    built.add_node(name, node(name, stage, body))
    built.add_edge(START, name)
    built.add_edge(name, END)
    return built.compile()
