"""The debugger explains why the last run failed."""

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import desk as desks
from cofounder_server.agent.nodes import briefing
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.state import State

MAX_TOKENS = 4_000


async def debugger(desk: desks.Desk, state: State) -> Result:
    """Asks for the cause; the coder is told the answer."""
    told = f"{briefing.files(desk.workspace)}\n\n{briefing.run(state)}"
    turn = await desks.converse(
        desk,
        stage=Stage.STAGE_DEBUGGER,
        role="debugger",
        messages=[desks.asked(briefing.stable(state), told)],
        max_tokens=MAX_TOKENS,
        voice=desks.Plain(desk),
    )
    failing = len(state["errors"])
    update = State(analysis=turn.text, findings=[], retry_count=state["retry_count"] + 1)
    return Result(update, f"Explained {failing} failure{'s' * (failing != 1)}")
