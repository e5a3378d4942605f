"""The reviewer judges the result against the goal and the plan."""

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import parse
from cofounder_server.agent.desk import Desk, asked
from cofounder_server.agent.nodes import briefing, document
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.state import State

MAX_TOKENS = 8_000
_MOST_FINDING = 2_000


async def reviewer(desk: Desk, state: State) -> Result:
    """Asks for a verdict: complete, or what is to be changed."""
    told = f"{briefing.files(desk.workspace)}\n\n{briefing.run(state)}"
    verdict = await document.ask(
        desk,
        stage=Stage.STAGE_REVIEWER,
        role="reviewer",
        messages=[asked(briefing.stable(state), told)],
        max_tokens=MAX_TOKENS,
        document=parse.Verdict,
    )
    if verdict.complete:
        return Result(State(is_complete=True, findings=[], analysis=""), "The result is what the plan asks for")
    findings = [finding[:_MOST_FINDING] for finding in verdict.findings] or ["The reviewer is not content."]
    summary = f"{len(findings)} thing{'s' * (len(findings) != 1)} to change"
    return Result(State(is_complete=False, findings=findings, analysis=""), summary, needs_work=True)
