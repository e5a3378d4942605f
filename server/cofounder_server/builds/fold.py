"""The fold: what a screen shows of a build, as a pure function of its log.

`fold(events) == snapshot` is a law: a stored snapshot plus the events after it gives, byte for byte, what folding the
whole log gives. So a rule here may depend on nothing but the snapshot and the event, and changing one voids stored
snapshots (they can be dropped at any time: the log makes them again).
"""

from collections.abc import Callable, Iterable, MutableSequence
from typing import TypeVar

from cofounder.runner.v1 import build_pb2, event_lifecycle_pb2, stage_pb2
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot
from cofounder_server.builds import fold_marks, fold_work
from cofounder_server.builds.bounds import MAX_GENERATIONS, MAX_STAGE_RUNS, MAX_WARNINGS, append_tail, keep_last

Rule = Callable[[BuildSnapshot, BuildEvent], None]
Row = TypeVar("Row")


def fold(events: Iterable[BuildEvent], snapshot: BuildSnapshot | None = None) -> BuildSnapshot:
    """Returns the fold of `events`, on top of a copy of `snapshot` where one is given."""
    folded = BuildSnapshot()
    if snapshot is not None:
        folded.CopyFrom(snapshot)
    for event in events:
        apply(folded, event)
    return folded


def apply(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    """Takes one event into `snapshot`, in place. A kind without a rule only advances it."""
    rule = RULES.get(event.WhichOneof("kind") or "")
    if rule is not None:
        rule(snapshot, event)
    snapshot.through_sequence = event.sequence
    snapshot.build.last_sequence = event.sequence


def _accepted(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    accepted = event.build_accepted
    build = snapshot.build
    if accepted.HasField("origin"):
        # A fork goes on with its parent's work, at no cost so far: what the parent itself was is over.
        build.Clear()
        snapshot.usage.Clear()
        del snapshot.drafts[:], snapshot.open_questions[:], snapshot.open_steers[:]
    build.project_id, build.goal, build.creator_id = accepted.project_id, accepted.goal, accepted.creator_id
    build.plan_slug, build.scenario, build.rehearsal = accepted.plan_slug, accepted.scenario, accepted.rehearsal
    build.budget_microdollars = accepted.budget_microdollars
    build.state = build_pb2.BUILD_STATE_QUEUED
    if accepted.HasField("start_after_time"):
        build.state = build_pb2.BUILD_STATE_SCHEDULED
        build.start_after_time.CopyFrom(accepted.start_after_time)
    build.create_time.CopyFrom(event.create_time)
    if accepted.HasField("origin"):
        build.origin.CopyFrom(accepted.origin)
    fold_marks.begin(snapshot, event)


def _attempt_started(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    build = snapshot.build
    build.attempt, build.state = event.attempt, build_pb2.BUILD_STATE_STARTING
    build.stage = stage_pb2.STAGE_UNSPECIFIED
    if not build.HasField("start_time"):
        build.start_time.CopyFrom(event.create_time)
    fold_marks.go_back(snapshot, event.attempt_started.kept_through_sequence)


def _attempt_finished(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    finished, build = event.attempt_finished, snapshot.build
    build.state, build.stage = finished.next_state, stage_pb2.STAGE_UNSPECIFIED
    if finished.HasField("start_after_time"):
        build.start_after_time.CopyFrom(finished.start_after_time)


def _build_queued(snapshot: BuildSnapshot, _: BuildEvent) -> None:
    snapshot.build.state = build_pb2.BUILD_STATE_QUEUED
    snapshot.build.ClearField("start_after_time")


def _stage_started(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    started = event.stage_started
    snapshot.build.stage, snapshot.build.state = started.stage, build_pb2.BUILD_STATE_RUNNING
    snapshot.stage_runs.add(
        stage=started.stage,
        iteration=started.iteration,
        attempt=event.attempt,
        start_time=event.create_time,
        start_sequence=event.sequence,
    )
    keep_last(snapshot.stage_runs, MAX_STAGE_RUNS)


def _stage_finished(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    finished = event.stage_finished
    needs_work = finished.outcome == event_lifecycle_pb2.StageFinished.OUTCOME_NEEDS_WORK
    for run in fold_marks.current(snapshot, snapshot.stage_runs):
        if (run.stage, run.iteration, run.attempt) == (finished.stage, finished.iteration, event.attempt):
            run.finish_time.CopyFrom(event.create_time)
            run.summary, run.needs_work = finished.summary, needs_work
            break
    fold_marks.mark(snapshot, event)


def _generation_started(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    started = event.generation_started
    snapshot.generations.add(
        generation_id=started.generation_id,
        stage=started.stage,
        model=started.model,
        start_sequence=event.sequence,
    )
    keep_last(snapshot.generations, MAX_GENERATIONS)


def _text_delta(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    for generation in fold_marks.current(snapshot, snapshot.generations):
        if generation.generation_id == event.text_delta.generation_id:
            tail, omitted = append_tail(generation.text_tail, event.text_delta.text)
            generation.text_tail = tail
            generation.text_omitted += omitted
            return


def _generation_voided(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    voided = event.generation_voided.generation_id
    for generation in fold_marks.current(snapshot, snapshot.generations):
        if generation.generation_id == voided:
            generation.voided = True
    fold_work.drop_drafts(snapshot, voided)


def _plan_proposed(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.plan.CopyFrom(event.plan_proposed)


def _plan_step_changed(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    for step in snapshot.plan.steps:
        if step.index == event.plan_step_changed.index:
            step.status = event.plan_step_changed.status


def _usage_recorded(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    usage, total = event.usage_recorded, snapshot.usage
    total.calls += 1
    total.input_tokens += usage.input_tokens
    total.output_tokens += usage.output_tokens
    total.cache_read_tokens += usage.cache_read_tokens
    total.cache_write_tokens += usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    if not usage.platform_borne:
        total.cost_microdollars += usage.cost_microdollars
    snapshot.build.cost_microdollars = total.cost_microdollars


def _credit_recorded(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.usage.cost_microdollars -= event.credit_recorded.amount_microdollars
    snapshot.build.cost_microdollars = snapshot.usage.cost_microdollars


def _question_asked(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.open_questions.append(event.question_asked)


def _question_answered(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    answered = event.question_answered.question_id
    _remove(snapshot.open_questions, lambda question: question.question_id == answered)
    fold_marks.answered(snapshot, answered)


def _steer_received(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.open_steers.append(event.steer_received)
    fold_marks.steered(snapshot, event.steer_received)


def _steer_applied(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    _remove(snapshot.open_steers, lambda steer: steer.steer_id == event.steer_applied.steer_id)


def _paused(snapshot: BuildSnapshot, _: BuildEvent) -> None:
    snapshot.build.state = build_pb2.BUILD_STATE_PAUSED


def _resumed(snapshot: BuildSnapshot, _: BuildEvent) -> None:
    snapshot.build.state = build_pb2.BUILD_STATE_QUEUED


def _warning_raised(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.warnings.append(event.warning_raised)
    keep_last(snapshot.warnings, MAX_WARNINGS)


def _remove(rows: MutableSequence[Row], matches: Callable[[Row], bool]) -> None:
    for place in reversed([place for place, row in enumerate(rows) if matches(row)]):
        del rows[place]


def _over(state: build_pb2.BuildState) -> Rule:
    def rule(snapshot: BuildSnapshot, event: BuildEvent) -> None:
        build = snapshot.build
        build.state, build.stage = state, stage_pb2.STAGE_UNSPECIFIED
        build.ClearField("start_after_time")
        build.finish_time.CopyFrom(event.create_time)
        if event.HasField("build_failed"):
            build.error.CopyFrom(event.build_failed.error)
        # Nothing follows, so nothing goes back either.
        del snapshot.drafts[:], snapshot.open_questions[:], snapshot.open_steers[:], snapshot.marks[:]

    return rule


RULES: dict[str, Rule] = {
    "build_accepted": _accepted,
    "attempt_started": _attempt_started,
    "attempt_finished": _attempt_finished,
    "build_queued": _build_queued,
    "stage_started": _stage_started,
    "stage_finished": _stage_finished,
    "generation_started": _generation_started,
    "text_delta": _text_delta,
    "generation_voided": _generation_voided,
    "plan_proposed": _plan_proposed,
    "plan_step_changed": _plan_step_changed,
    "usage_recorded": _usage_recorded,
    "credit_recorded": _credit_recorded,
    "question_asked": _question_asked,
    "question_answered": _question_answered,
    "steer_received": _steer_received,
    "steer_applied": _steer_applied,
    "build_paused": _paused,
    "build_resumed": _resumed,
    "warning_raised": _warning_raised,
    "build_succeeded": _over(build_pb2.BUILD_STATE_SUCCEEDED),
    "build_partial": _over(build_pb2.BUILD_STATE_PARTIAL),
    "build_failed": _over(build_pb2.BUILD_STATE_FAILED),
    "build_cancelled": _over(build_pb2.BUILD_STATE_CANCELLED),
    **fold_work.RULES,
}
