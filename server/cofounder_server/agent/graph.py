"""The pipeline as a graph of six stages, and the one bound on its loops."""

from typing import Any, Literal

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

_Next = Literal["architect", "coder", "executor", "debugger", "reviewer", "git_manager", "__end__"]


def pipeline(*, iterations: int) -> Graph:
    """Returns the whole pipeline. It ends early after a fault, and when the coder ran `iterations` times in vain."""

    def spent(state: State) -> bool:
        return state["runs"].get("coder", 0) >= iterations

    def after(following: _Next) -> Any:
        return lambda state: END if state["has_fatal_error"] else following

    def after_executor(state: State) -> _Next:
        if state["has_fatal_error"]:
            return "__end__"
        if state["exit_code"] == 0 and not state["errors"]:
            return "reviewer"
        return "__end__" if spent(state) else "debugger"

    def after_reviewer(state: State) -> _Next:
        if state["has_fatal_error"]:
            return "__end__"
        if state["is_complete"]:
            return "git_manager"
        return "__end__" if spent(state) else "coder"

    built = StateGraph(State, context_schema=Desk)
    for name, (stage, body) in STAGES.items():
        built.add_node(name, node(name, stage, body))
    built.add_edge(START, "architect")
    built.add_conditional_edges("architect", after("coder"), ["coder", END])
    built.add_conditional_edges("coder", after("executor"), ["executor", END])
    built.add_conditional_edges("executor", after_executor, ["reviewer", "debugger", END])
    built.add_conditional_edges("debugger", after("coder"), ["coder", END])
    built.add_conditional_edges("reviewer", after_reviewer, ["git_manager", "coder", END])
    built.add_edge("git_manager", END)
    # The bound is ours; langgraph's own must not be met before it.
    return built.compile().with_config(recursion_limit=20 + 6 * iterations)


def single(name: str) -> Graph:
    """Returns a graph of one stage."""
    stage, body = STAGES[name]
    built = StateGraph(State, context_schema=Desk)
    built.add_node(name, node(name, stage, body))
    built.add_edge(START, name)
    built.add_edge(name, END)
    return built.compile()
