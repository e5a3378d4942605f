"""The part of the fold that goes back: marks at the ends of stages, and the work as it stood there."""

from collections.abc import Iterable, MutableSequence
from typing import Protocol, TypeVar

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot, StageMark
from cofounder.runner.v1.event_control_pb2 import SteerReceived
from cofounder_server.builds.bounds import MAX_MARKS

# What a mark holds of the work as a copy. Runs, generations and commands tell by their sequence what they belong to.
_COPIED = ("files", "commits", "warnings", "open_questions", "open_steers")
_OPTIONAL = ("plan", "tests")


class Begun(Protocol):
    """A row of the snapshot that began with an event."""

    start_sequence: int


Row = TypeVar("Row", bound=Begun)


def begin(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    """Marks the beginning, to which an attempt goes back that keeps nothing."""
    snapshot.marks.add(sequence=event.sequence)


def mark(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    """Marks the end of a stage. The oldest mark after the beginning makes room."""
    finished = event.stage_finished
    added = snapshot.marks.add(
        sequence=event.sequence,
        stage=finished.stage,
        iteration=finished.iteration,
        attempt=event.attempt,
        tree_hash=finished.tree_hash,
    )
    for name in _COPIED:
        getattr(added, name).extend(getattr(snapshot, name))
    for name in _OPTIONAL:
        if snapshot.HasField(name):
            getattr(added, name).CopyFrom(getattr(snapshot, name))
    oldest = 1 if not snapshot.marks[0].stage else 0
    while len(snapshot.marks) - oldest > MAX_MARKS:
        del snapshot.marks[oldest]


def go_back(snapshot: BuildSnapshot, kept: int) -> None:
    """Takes back what attempts did after `kept`. What it cost stands, and so does what people said meanwhile."""
    while len(snapshot.marks) > 1 and snapshot.marks[-1].sequence > kept:
        del snapshot.marks[-1]
    back = snapshot.marks[-1] if snapshot.marks else StageMark()
    for name in _COPIED:
        snapshot.ClearField(name)
        getattr(snapshot, name).extend(getattr(back, name))
    for name in _OPTIONAL:
        snapshot.ClearField(name)
        if back.HasField(name):
            getattr(snapshot, name).CopyFrom(getattr(back, name))
    snapshot.build.commit_sha = back.commits[-1].sha if back.commits else ""
    _void(snapshot, back.sequence)


def _void(snapshot: BuildSnapshot, kept: int) -> None:
    del snapshot.drafts[:]
    for run in snapshot.stage_runs:
        run.voided = run.voided or run.start_sequence > kept or not run.HasField("finish_time")
    for text in snapshot.generations:
        text.voided = text.voided or text.start_sequence > kept
    for place in reversed(range(len(snapshot.commands))):
        if snapshot.commands[place].start_sequence > kept:
            del snapshot.commands[place]


def steered(snapshot: BuildSnapshot, received: SteerReceived) -> None:
    """Adds an instruction to every mark: whichever an attempt goes back to, it does not know it yet."""
    for each in snapshot.marks:
        each.open_steers.append(received)


def answered(snapshot: BuildSnapshot, question_id: str) -> None:
    """Takes a question off every mark: wherever an attempt goes back to, the answer stands."""
    for each in snapshot.marks:
        for place in reversed(range(len(each.open_questions))):
            if each.open_questions[place].question_id == question_id:
                del each.open_questions[place]


def current(snapshot: BuildSnapshot, rows: MutableSequence[Row]) -> Iterable[Row]:
    """Yields, newest first, the rows that began since the newest mark: what a stage's end has closed stays as it is."""
    closed = snapshot.marks[-1].sequence if snapshot.marks else 0
    for row in reversed(rows):
        if row.start_sequence <= closed:
            return
        yield row
