"""`fold(events) == snapshot`: a stored fold plus the events after it is the fold of the whole log."""

import random

import pytest

from cofounder.runner.v1 import build_pb2, event_agent_pb2, event_control_pb2, event_lifecycle_pb2, event_work_pb2
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.builds import bounds, fold

pytestmark = pytest.mark.unit

KINDS = [field.name for field in BuildEvent.DESCRIPTOR.oneofs_by_name["kind"].fields]


def some_event(chance: random.Random, sequence: int) -> BuildEvent:
    """An event of any kind, its fields filled from a small world so that events meet."""
    event = BuildEvent(sequence=sequence, attempt=1 + sequence // 400)
    event.create_time.FromSeconds(sequence)
    kind = chance.choice(KINDS[:-4])
    inner = getattr(event, kind)
    inner.SetInParent()
    for field in inner.DESCRIPTOR.fields:
        if field.is_repeated or field.type in (field.TYPE_MESSAGE, field.TYPE_BYTES, field.TYPE_BOOL):
            continue
        if field.type == field.TYPE_STRING:
            setattr(inner, field.name, chance.choice(["a", "b", "c"]) * chance.choice([1, 1, 1, 3000]))
        elif field.type == field.TYPE_ENUM:
            setattr(inner, field.name, chance.choice(field.enum_type.values).number)
        else:
            setattr(inner, field.name, chance.randint(0, 3))
    return event


@pytest.mark.parametrize("seed", range(20))
def test_a_stored_fold_and_the_events_after_it_give_the_fold_of_the_whole_log(seed):
    chance = random.Random(seed)
    events = [some_event(chance, sequence) for sequence in range(1, 600)]
    whole = fold.fold(events)
    for cut in chance.sample(range(len(events)), 10):
        assert fold.fold(events[cut:], fold.fold(events[:cut])).SerializeToString(deterministic=True) == (
            whole.SerializeToString(deterministic=True)
        )
    assert whole.through_sequence == whole.build.last_sequence == 599


def test_a_fold_is_bounded_however_long_the_log():
    chance = random.Random(1)
    folded = fold.fold(some_event(chance, sequence) for sequence in range(1, 20_000))
    assert len(folded.stage_runs) <= bounds.MAX_STAGE_RUNS
    assert len(folded.generations) <= bounds.MAX_GENERATIONS
    assert len(folded.commands) <= bounds.MAX_COMMANDS
    assert all(len(run.output_tail) <= bounds.TAIL_CHARACTERS for run in folded.commands)


def test_an_unknown_kind_draws_nothing_and_advances():
    folded = fold.fold([BuildEvent(sequence=1), BuildEvent.FromString(b"\x08\x02\xfa\x3e\x00")])
    assert folded.through_sequence == 2
    assert folded.build == build_pb2.Build(last_sequence=2)


def test_a_new_attempt_voids_what_the_lost_one_wrote_but_not_what_it_cost():
    events = [
        BuildEvent(build_accepted=event_lifecycle_pb2.BuildAccepted(goal="g")),
        BuildEvent(attempt=1, attempt_started=event_lifecycle_pb2.AttemptStarted(kept_through_sequence=1)),
        BuildEvent(attempt=1, stage_started=event_lifecycle_pb2.StageStarted(stage=Stage.STAGE_CODER, iteration=1)),
        BuildEvent(attempt=1, file_written=event_work_pb2.FileWritten(path="a.py", size_bytes=3)),
        BuildEvent(attempt=1, file_opened=event_work_pb2.FileOpened(path="b.py")),
        BuildEvent(attempt=1, usage_recorded=event_agent_pb2.UsageRecorded(cost_microdollars=7)),
        BuildEvent(attempt=2, attempt_started=event_lifecycle_pb2.AttemptStarted()),
    ]
    for sequence, event in enumerate(events, 1):
        event.sequence = sequence
    folded = fold.fold(events)
    assert [*folded.files, *folded.drafts] == []
    assert folded.stage_runs[0].voided
    assert folded.build.cost_microdollars == folded.usage.cost_microdollars == 7


def test_questions_and_instructions_are_open_until_answered_and_applied():
    asked = [BuildEvent(question_asked=event_control_pb2.QuestionAsked(question_id=name)) for name in ("one", "two")]
    steered = BuildEvent(steer_received=event_control_pb2.SteerReceived(steer_id="s"))
    answered = BuildEvent(question_answered=event_control_pb2.QuestionAnswered(question_id="one"))
    applied = BuildEvent(steer_applied=event_control_pb2.SteerApplied(steer_id="s"))
    folded = fold.fold([*asked, steered])
    assert [question.question_id for question in folded.open_questions] == ["one", "two"]
    folded = fold.fold([answered, applied], folded)
    assert [question.question_id for question in folded.open_questions] == ["two"]
    assert not folded.open_steers
