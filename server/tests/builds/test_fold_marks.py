"""Going back: the fold of a log with a lost attempt is the fold of the log without what the attempt lost."""

import random

import pytest

from cofounder.runner.v1 import event_control_pb2, event_lifecycle_pb2, event_work_pb2
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.builds import bounds, fold

pytestmark = pytest.mark.unit

# What a lost attempt does not take with it: what people said, and what it cost.
STAYS = {
    "steer_received",
    "question_answered",
    "cancel_requested",
    "build_paused",
    "build_resumed",
    "usage_recorded",
    "credit_recorded",
    "budget_warned",
}
FRAME = {"build_accepted", "attempt_started", "build_succeeded", "build_partial", "build_failed", "build_cancelled"}
KINDS = [field.name for field in BuildEvent.DESCRIPTOR.oneofs_by_name["kind"].fields if field.name not in FRAME]


class Life:
    """A log that grows, and beside it the events of it that stand."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.log: list[BuildEvent] = []
        self.standing: list[BuildEvent] = []
        self.attempt = 0
        self.add(BuildEvent(build_accepted=event_lifecycle_pb2.BuildAccepted(goal="g")))

    def add(self, event: BuildEvent) -> None:
        event.sequence, event.attempt = len(self.log) + 1, self.attempt
        event.create_time.FromSeconds(event.sequence)
        self.log.append(event)
        self.standing.append(event)

    def take_up(self, kept: int) -> None:
        self.standing = [
            event for event in self.standing if event.sequence <= kept or event.WhichOneof("kind") in STAYS | FRAME
        ]
        self.attempt += 1
        self.add(BuildEvent(attempt_started=event_lifecycle_pb2.AttemptStarted(kept_through_sequence=kept)))

    def live(self, count: int) -> None:
        for _ in range(count):
            kind = "stage_finished" if self.chance.random() < 0.1 else self.chance.choice(KINDS)
            self.add(filled(self.chance, kind))

    def resumable(self) -> int:
        """Any sequence at which an attempt may begin."""
        return self.chance.choice([0, *(mark.sequence for mark in fold.fold(self.log).marks)])


def filled(chance: random.Random, kind: str) -> BuildEvent:
    """An event whose fields come from a small world, so that events meet."""
    event = BuildEvent()
    inner = getattr(event, kind)
    inner.SetInParent()
    for field in inner.DESCRIPTOR.fields:
        if field.is_repeated or field.type in (field.TYPE_MESSAGE, field.TYPE_BOOL):
            continue
        if field.type == field.TYPE_STRING:
            setattr(inner, field.name, chance.choice("abc"))
        elif field.type == field.TYPE_BYTES:
            setattr(inner, field.name, chance.randbytes(2))
        elif field.type == field.TYPE_ENUM:
            setattr(inner, field.name, chance.choice(field.enum_type.values[1:]).number)
        else:
            setattr(inner, field.name, chance.randint(0, 3))
    if kind == "plan_proposed":
        inner.steps.add(index=chance.randint(0, 3))
    return event


def without_history(snapshot: BuildSnapshot, lost: set[int]) -> BuildSnapshot:
    """The snapshot without the rows of what was lost, which stay as history, and without its marks."""
    bare = BuildSnapshot()
    bare.CopyFrom(snapshot)
    for rows in (bare.stage_runs, bare.generations):
        for place in reversed(range(len(rows))):
            if rows[place].start_sequence in lost:
                assert rows[place].voided
                del rows[place]
    del bare.marks[:]
    return bare


@pytest.mark.parametrize("seed", range(60))
def test_a_lost_attempt_leaves_the_fold_as_if_it_had_not_been(seed):
    """Except what it cost and the history of what it tried; exact below the bounds of lists that keep their last."""
    life = Life(seed)
    life.take_up(1)
    for _ in range(3):
        life.live(life.chance.randint(0, 60))
        life.take_up(life.resumable())
        life.live(life.chance.randint(0, 30))
        lost = {event.sequence for event in life.log} - {event.sequence for event in life.standing}
        whole, clean = fold.fold(life.log), fold.fold(life.standing)
        assert without_history(whole, lost) == without_history(clean, lost)
        marks = {mark.sequence: mark for mark in clean.marks}
        assert all(mark == marks.get(mark.sequence, mark) for mark in whole.marks)
        assert not lost & {mark.sequence for mark in whole.marks}


def test_marks_are_bounded_and_the_beginning_stays():
    life = Life(1)
    life.take_up(1)
    for _ in range(bounds.MAX_MARKS + 3):
        life.add(filled(life.chance, "stage_finished"))
    kept = [event.sequence for event in life.log[-bounds.MAX_MARKS :]]
    assert [mark.sequence for mark in fold.fold(life.log).marks] == [1, *kept]


def test_a_modified_file_goes_back_to_what_it_was_and_a_deleted_one_comes_back():
    life = Life(1)
    life.take_up(1)
    for path, size in (("a", 1), ("b", 2)):
        life.add(BuildEvent(file_written=event_work_pb2.FileWritten(path=path, size_bytes=size)))
    finished = event_lifecycle_pb2.StageFinished(stage=Stage.STAGE_CODER, iteration=1, tree_hash=b"t")
    life.add(BuildEvent(stage_finished=finished))
    kept = len(life.log)
    before = fold.fold(life.log)
    life.add(BuildEvent(file_written=event_work_pb2.FileWritten(path="a", size_bytes=9)))
    life.add(BuildEvent(file_deleted=event_work_pb2.FileDeleted(path="b")))
    life.add(BuildEvent(file_written=event_work_pb2.FileWritten(path="c", size_bytes=9)))
    life.take_up(kept)
    assert fold.fold(life.log).files == before.files


def test_an_instruction_is_open_again_if_the_stage_that_took_it_up_was_lost():
    life = Life(1)
    life.take_up(1)
    life.add(BuildEvent(steer_received=event_control_pb2.SteerReceived(steer_id="s")))
    life.add(BuildEvent(steer_applied=event_control_pb2.SteerApplied(steer_id="s")))
    life.take_up(1)
    assert [steer.steer_id for steer in fold.fold(life.log).open_steers] == ["s"]
