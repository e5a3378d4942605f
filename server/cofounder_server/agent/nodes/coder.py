"""The coder writes the files of the plan, and repairs them."""

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import desk as desks
from cofounder_server.agent.nodes import briefing
from cofounder_server.agent.nodes.scribe import Scribe
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.state import State

MAX_TOKENS = 32_000
RE_ASKS = 2


async def coder(desk: desks.Desk, state: State) -> Result:
    """Asks for files until the model has given some that can be used. Raises `InvalidModelOutput` if it gives none."""
    changing = "\n\n".join(part for part in (briefing.files(desk.workspace), briefing.findings(state)) if part)
    messages = [desks.asked(briefing.stable(state), changing)]
    scribe = Scribe(desk, state)
    for _ in range(1 + RE_ASKS):
        turn = await desks.converse(
            desk,
            stage=Stage.STAGE_CODER,
            role="coder",
            messages=messages,
            max_tokens=MAX_TOKENS,
            voice=scribe,
        )
        if scribe.touched and not scribe.objections:
            break
        objections = scribe.objections or ["There was no file between tags in your answer; write the files."]
        messages = desks.again(messages, turn.text, "\n".join(objections))
        scribe.objections = []
    if not scribe.touched:
        raise errors.InvalidModelOutput(stage="coder")
    files = len(set(scribe.touched))
    update = State(changes=scribe.changes, steps=scribe.steps)
    return Result(update, f"Wrote {files} file{'s' * (files != 1)}")
