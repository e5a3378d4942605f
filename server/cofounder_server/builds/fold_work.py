"""The part of the fold that concerns the workspace: files, commands, tests, commits."""

from bisect import bisect_left
from collections.abc import Callable

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot, CommandRun, FileState
from cofounder_server.builds import fold_marks
from cofounder_server.builds.bounds import MAX_COMMANDS, MAX_COMMITS, append_tail, keep_last


def drop_drafts(snapshot: BuildSnapshot, generation_id: str) -> None:
    """Takes back the files that a void call of the model had open."""
    for place in reversed(range(len(snapshot.drafts))):
        if snapshot.drafts[place].generation_id == generation_id:
            del snapshot.drafts[place]


def _file_opened(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    opened = event.file_opened
    _close_draft(snapshot, opened.path)
    snapshot.drafts.add(path=opened.path, generation_id=opened.generation_id, opened_sequence=event.sequence)


def _file_delta(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    for draft in snapshot.drafts:
        if draft.path == event.file_delta.path:
            draft.characters += len(event.file_delta.text)


def _file_written(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    written = event.file_written
    _close_draft(snapshot, written.path)
    paths = [file.path for file in snapshot.files]
    place = bisect_left(paths, written.path)
    if place == len(paths) or paths[place] != written.path:
        snapshot.files.insert(place, FileState(path=written.path))
    file = snapshot.files[place]
    file.size_bytes, file.sha256, file.sequence = written.size_bytes, written.sha256, event.sequence


def _file_deleted(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    _close_draft(snapshot, event.file_deleted.path)
    for place in reversed(range(len(snapshot.files))):
        if snapshot.files[place].path == event.file_deleted.path:
            del snapshot.files[place]


def _close_draft(snapshot: BuildSnapshot, path: str) -> None:
    for place in reversed(range(len(snapshot.drafts))):
        if snapshot.drafts[place].path == path:
            del snapshot.drafts[place]


def _command_started(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    started = event.command_started
    snapshot.commands.add(command_id=started.command_id, argv=started.argv, start_sequence=event.sequence)
    keep_last(snapshot.commands, MAX_COMMANDS)


def _command_output(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    if command := _command(snapshot, event.command_output.command_id):
        tail, omitted = append_tail(command.output_tail, event.command_output.text)
        command.output_tail = tail
        command.output_omitted += omitted


def _command_finished(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    if command := _command(snapshot, event.command_finished.command_id):
        command.finished.CopyFrom(event.command_finished)


def _command(snapshot: BuildSnapshot, command_id: str) -> CommandRun | None:
    running = fold_marks.current(snapshot, snapshot.commands)
    return next((run for run in running if run.command_id == command_id), None)


def _test_reported(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.tests.CopyFrom(event.test_reported)


def _commit_created(snapshot: BuildSnapshot, event: BuildEvent) -> None:
    snapshot.commits.append(event.commit_created)
    keep_last(snapshot.commits, MAX_COMMITS)
    snapshot.build.commit_sha = event.commit_created.sha


RULES: dict[str, Callable[[BuildSnapshot, BuildEvent], None]] = {
    "file_opened": _file_opened,
    "file_delta": _file_delta,
    "file_written": _file_written,
    "file_deleted": _file_deleted,
    "command_started": _command_started,
    "command_output": _command_output,
    "command_finished": _command_finished,
    "test_reported": _test_reported,
    "commit_created": _commit_created,
}
