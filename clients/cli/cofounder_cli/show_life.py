"""Shows how a build goes on: its stages, its attempts, what people ask of it and what it asks of them."""

from collections.abc import Callable, Mapping
from typing import Any

from cofounder_cli import figures
from cofounder_cli._gen.cofounder.runner import v1 as runner
from cofounder_cli.fold import Fold, stage_name
from cofounder_cli.screen import BOLD, DIM, GREEN, RED, YELLOW, Screen
from cofounder_cli.terminal import clean, clean_line

_ATTEMPT_REASONS = {
    runner.AttemptReason.WORKER_LOST: "The worker was lost; another took over",
    runner.AttemptReason.HANDED_BACK: "The worker was replaced",
    runner.AttemptReason.UNPARKED: "The build goes on",
}


class Life:
    """Writes lifecycle and control events to the screen."""

    def __init__(self, screen: Screen, fold: Fold) -> None:
        self._screen = screen
        self._fold = fold
        self._stage_cost = fold.cost_microdollars
        self._stage_began = 0.0
        self.waits_for = ""
        """What keeps the build from going on, in a few words; empty if nothing does."""

    def handlers(self) -> Mapping[str, Callable[[Any], None]]:
        """Returns what to call for the body of each kind."""
        return {
            "build_accepted": self._build_accepted,
            "build_queued": self._build_queued,
            "attempt_started": self._attempt_started,
            "stage_started": self._stage_started,
            "stage_finished": self._stage_finished,
            "question_asked": self._question_asked,
            "question_answered": self._question_answered,
            "steer_received": self._steer_received,
            "steer_applied": self._steer_applied,
            "build_paused": self._paused,
            "build_resumed": self._resumed,
            "cancel_requested": self._cancel_requested,
            "convergence_measured": self._convergence_measured,
            "warning_raised": self._warning_raised,
            "preview_started": self._preview_started,
            "preview_stopped": self._preview_stopped,
        }

    def _build_accepted(self, body: runner.BuildAccepted) -> None:
        if body.start_after_time is not None:
            self.waits_for = f"scheduled for {body.start_after_time:%F %R} UTC"

    def _build_queued(self, _: runner.BuildQueued) -> None:
        self.waits_for = ""

    def _attempt_started(self, body: runner.AttemptStarted) -> None:
        self.waits_for = ""
        if why := _ATTEMPT_REASONS.get(body.reason, ""):
            kept = body.kept_through_sequence
            self._screen.gap()
            void = f"; what came after event {kept} is void, except what it cost" if kept else ""
            self._screen.line(f"{why}{void}.", mark="!", mark_style=YELLOW)

    def _stage_started(self, body: runner.StageStarted) -> None:
        self._stage_cost = self._fold.cost_microdollars
        self._stage_began = self._fold.elapsed_at_event
        again = f"round {body.iteration} · " if body.iteration > 1 else ""
        note = f"{again}{figures.clock(self._stage_began)}"
        self._screen.heading(stage_name(body.stage), note=note)

    def _stage_finished(self, body: runner.StageFinished) -> None:
        needs_work = body.outcome == runner.StageFinishedOutcome.NEEDS_WORK
        mark, style = ("↻", YELLOW) if needs_work else ("✓", GREEN)
        words = clean_line(body.summary) or ("more to do" if needs_work else "done")
        took = figures.elapsed(self._fold.elapsed_at_event - self._stage_began)
        spent = self._fold.cost_microdollars - self._stage_cost
        note = f"{took} · {figures.money(spent)}" if spent > 0 else took
        self._screen.gap()
        self._screen.line(words, mark=mark, mark_style=style, note=note)

    def _question_asked(self, body: runner.QuestionAsked) -> None:
        self.waits_for = "waits for your answer"
        self._screen.gap()
        self._screen.line(clean(body.text).strip(), style=BOLD, mark="?", mark_style=YELLOW)
        for choice in body.choices:
            self._screen.line(clean_line(choice), mark="-", indent="    ")
        if body.expire_time is not None and body.default_choice:
            at = body.expire_time.strftime("%Y-%m-%d %H:%M UTC")
            self._screen.line(f"Without an answer by {at}: {clean_line(body.default_choice)}", style=DIM, indent="    ")
        self._screen.line("Answer it on the build's page.", style=DIM, indent="    ")

    def _question_answered(self, body: runner.QuestionAnswered) -> None:
        self.waits_for = ""
        who = "" if body.user_id else " (nobody did; this is the default)"
        self._screen.line(f"{clean_line(body.text)}{who}", mark="→", indent="    ")

    def _steer_received(self, body: runner.SteerReceived) -> None:
        self._screen.gap()
        self._screen.line(clean(body.text).strip(), mark="»")

    def _steer_applied(self, body: runner.SteerApplied) -> None:
        self._screen.line(f"{stage_name(body.stage)} knows the instruction now.", style=DIM, mark="»")

    def _paused(self, _: runner.BuildPaused) -> None:
        self.waits_for = "paused"
        self._screen.line("Paused: it stops at the end of this stage and waits.", mark="!", mark_style=YELLOW)

    def _resumed(self, _: runner.BuildResumed) -> None:
        self.waits_for = ""
        self._screen.line("Resumed.", style=DIM, mark="▸")

    def _cancel_requested(self, _: runner.CancelRequested) -> None:
        self._screen.line("Somebody asked the build to stop.", mark="!", mark_style=YELLOW)

    def _convergence_measured(self, body: runner.ConvergenceMeasured) -> None:
        if body.tripped:
            measured = f"{body.value:,} of {body.limit:,}"
            signal = clean_line(body.signal).replace("_", " ")
            self._screen.gap()
            evidence = f"Going in circles ({signal}, {measured}): {clean_line(body.evidence)}"
            self._screen.line(evidence, mark="!", mark_style=RED)

    def _warning_raised(self, body: runner.WarningRaised) -> None:
        self._screen.line(f"{clean_line(body.text)} ({clean_line(body.code)})", mark="!", mark_style=YELLOW)

    def _preview_started(self, _: runner.PreviewStarted) -> None:
        self._screen.line("A preview runs; open it from the build's page.", style=DIM, mark="▸")

    def _preview_stopped(self, body: runner.PreviewStopped) -> None:
        self._screen.line(f"The preview is over. {clean_line(body.reason)}", style=DIM, mark="▸")
