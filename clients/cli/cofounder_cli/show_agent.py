"""Shows what the model does: its words as they come, its plan, its faults and what it costs."""

from collections.abc import Callable, Mapping
from typing import Any

from cofounder_cli import figures
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.screen import BOLD, DIM, RED, YELLOW, Screen
from cofounder_cli.terminal import Sanitizer, clean_line


class Agent:
    """Writes model text, plan and metering to the screen. `verbose` shows the model's thinking too.

    Where the words are `scripted`, no model is said to be asked for them.
    """

    def __init__(self, screen: Screen, *, verbose: bool, scripted: bool) -> None:
        self._screen = screen
        self._verbose = verbose
        self._scripted = scripted
        self._sanitizers: dict[str, Sanitizer] = {}
        self._steps: dict[int, str] = {}
        self.activity = ""
        """What the model is at, in a few words; empty while its text shows it."""

    def handlers(self) -> Mapping[str, Callable[[Any], None]]:
        """Returns what to call for the body of each kind."""
        return {
            "generation_started": self._generation_started,
            "text_delta": self._text_delta,
            "thinking_delta": self._thinking_delta,
            "generation_voided": self._generation_voided,
            "provider_delayed": self._provider_delayed,
            "plan_proposed": self._plan_proposed,
            "plan_step_changed": self._plan_step_changed,
            "usage_recorded": self._usage_recorded,
            "credit_recorded": self._credit_recorded,
            "budget_warned": self._budget_warned,
            "stage_finished": self._stage_finished,
        }

    def _generation_started(self, body: runner.GenerationStarted) -> None:
        self.activity = "reading the script" if self._scripted else f"asking {clean_line(body.model) or 'the model'}"

    def _text_delta(self, body: runner.TextDelta) -> None:
        self.activity = ""
        text = self._clean("text", body.generation_id, body.text)
        self._screen.text(f"text {body.generation_id}", text, apart=True)

    def _thinking_delta(self, body: runner.ThinkingDelta) -> None:
        self.activity = "thinking"
        if self._verbose:
            text = self._clean("thinking", body.generation_id, body.text)
            self._screen.text(f"thinking {body.generation_id}", text, style=DIM, apart=True)

    def _clean(self, kind: str, generation_id: str, text: str) -> str:
        return self._sanitizers.setdefault(f"{kind} {generation_id}", Sanitizer()).feed(text)

    def _generation_voided(self, body: runner.GenerationVoided) -> None:
        self.activity = ""
        why = clean_line(body.reason).replace("_", " ")
        text = f"The model's answer broke off ({why}). What it wrote above is void."
        self._screen.line(text, mark="!", mark_style=YELLOW)

    def _provider_delayed(self, body: runner.ProviderDelayed) -> None:
        delay = body.retry_delay.total_seconds() if body.retry_delay is not None else 0.0
        why = clean_line(body.reason).replace("_", " ")
        self.activity = f"waiting for the model's provider ({why})"
        text = f"The model's provider makes us wait ({why}): retry {body.retry} in {figures.elapsed(delay)}."
        self._screen.line(text, mark="!", mark_style=YELLOW)

    def _plan_proposed(self, body: runner.PlanProposed) -> None:
        self._steps = {step.index: clean_line(step.description) for step in body.steps}
        self._screen.gap()
        self._screen.line(clean_line(body.title) or "Plan", style=BOLD, note=figures.count(len(body.steps), "step"))
        for index, description in self._steps.items():
            self._screen.line(description, mark=f"{index}.")
        self._screen.gap()

    def _plan_step_changed(self, body: runner.PlanStepChanged) -> None:
        step = f"step {body.index} of {max(len(self._steps), body.index)}"
        description = self._steps.get(body.index, "")
        named = f"{step}: {description}" if description else step
        if body.status == runner.PlanStepStatus.ACTIVE:
            self.activity = named
        elif body.status == runner.PlanStepStatus.DONE:
            self._screen.line(named, style=DIM, mark="✓", mark_style=DIM)
        elif body.status == runner.PlanStepStatus.FAILED:
            self._screen.line(f"given up: {named}", mark="✗", mark_style=RED)

    def _usage_recorded(self, _: runner.UsageRecorded) -> None:
        self.activity = ""

    def _credit_recorded(self, body: runner.CreditRecorded) -> None:
        amount = figures.money(body.amount_microdollars)
        self._screen.line(f"{amount} given back: {clean_line(body.reason)}", style=DIM, mark="+", mark_style=DIM)

    def _budget_warned(self, body: runner.BudgetWarned) -> None:
        spent, limit = figures.money(body.spent_microdollars), figures.money(body.limit_microdollars)
        which = clean_line(body.limit).replace("_", " ")
        text = f"{spent} of {limit} are spent (limit: {which})."
        self._screen.line(text, mark="!", mark_style=YELLOW)

    def _stage_finished(self, _: runner.StageFinished) -> None:
        self.activity = ""
        self._sanitizers.clear()
