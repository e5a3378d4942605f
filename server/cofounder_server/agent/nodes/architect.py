"""The architect turns the goal into a plan."""

from cofounder.runner.v1.event_agent_pb2 import PlanProposed
from cofounder.runner.v1.event_agent_pb2 import PlanStep as ShownStep
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import names, parse
from cofounder_server.agent.desk import Desk, asked
from cofounder_server.agent.nodes import briefing, document
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.state import PlanStep, State

MAX_TOKENS = 8_000


async def architect(desk: Desk, state: State) -> Result:
    """Asks for a plan and shows it."""
    plan = await document.ask(
        desk,
        stage=Stage.STAGE_ARCHITECT,
        role="architect",
        messages=[asked(briefing.stable(state))],
        max_tokens=MAX_TOKENS,
        document=parse.Plan,
    )
    steps = [_step(desk, index, step) for index, step in enumerate(plan.steps, 1)]
    desk.emit(plan_proposed=PlanProposed(title=plan.title, steps=map(_shown, steps)))
    summary = f"A plan of {len(steps)} step{'s' * (len(steps) != 1)}: {plan.title}"
    return Result(State(title=plan.title, steps=steps), summary)


def _step(desk: Desk, index: int, step: parse.PlanStep) -> PlanStep:
    return PlanStep(index=index, description=step.description, files=_checked(desk, step.files), status="pending")


def _checked(desk: Desk, paths: list[str]) -> list[str]:
    checked = []
    for path in paths:
        try:
            checked.append(names.check_path(path))
        except names.BadName as refused:
            desk.warn("name_refused", f"The plan names a file that cannot be: {refused.reason}")
    return checked


def _shown(step: PlanStep) -> ShownStep:
    return ShownStep(
        index=step["index"],
        description=step["description"],
        status=ShownStep.STATUS_PENDING,
        paths=step["files"],
    )
