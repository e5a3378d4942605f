"""Writes the coder's files into the workspace while the coder still speaks, and takes back what a void answer wrote."""

from pathlib import PurePosixPath

from cofounder.runner.v1 import event_work_pb2 as work
from cofounder.runner.v1.event_agent_pb2 import PlanStep as ShownStep
from cofounder.runner.v1.event_agent_pb2 import PlanStepChanged
from cofounder_server.agent import names, stream
from cofounder_server.agent import workspace as workspaces
from cofounder_server.agent.desk import MOST_EVENT_TEXT, Desk, say
from cofounder_server.agent.state import PlanStep, State
from cofounder_server.builds import text as texts

_LANGUAGES = {
    ".css": "css",
    ".html": "html",
    ".js": "javascript",
    ".json": "json",
    ".md": "markdown",
    ".py": "python",
    ".sh": "bash",
    ".sql": "sql",
    ".toml": "toml",
    ".ts": "typescript",
    ".yaml": "yaml",
    ".yml": "yaml",
}


class Scribe:
    """The voice of the coder: text for people, files for the workspace.

    A file stands as soon as its closing tag was read. If the answer breaks afterwards, it is put back as it was, so
    that no half of an answer is ever used (E-1).
    """

    def __init__(self, desk: Desk, state: State) -> None:
        self.changes = dict(state["changes"])
        self.steps: list[PlanStep] = [PlanStep(**step) for step in state["steps"]]
        self.touched: list[str] = []
        # What the model should be told before it is asked again.
        self.objections: list[str] = []
        self._desk = desk
        self._generation = ""
        self._tags = stream.FileTags()
        self._path: str | None = None
        self._former: dict[str, bytes | None] = {}

    def hear(self, generation_id: str, text: str) -> None:
        self._generation = generation_id
        for piece in self._tags.feed(text):
            self._take(piece)

    def end(self) -> None:
        for piece in self._tags.close():
            self._take(piece)
        self._tags = stream.FileTags()
        self._former.clear()

    def void(self) -> None:
        self._tags = stream.FileTags()
        self._path = None
        self.touched.clear()
        self.objections.clear()
        for path, content in self._former.items():
            self._put_back(path, content)
        self._former.clear()

    def _take(self, piece: stream.Piece) -> None:
        match piece:
            case stream.Prose():
                say(self._desk, self._generation, piece.text)
            case stream.Opened():
                self._open(piece.path)
            case stream.Content():
                self._show(piece.text)
            case stream.Closed():
                self._write(piece.content)
            case stream.Deleted():
                self._delete(piece.path)
            case stream.Unfinished():
                self._path = None
                self._object("file_unfinished", f"{piece.path} was not closed, so it was not written; write it whole.")

    def _open(self, path: str) -> None:
        try:
            # All names at once: some of them are one where case or accents do not count.
            known = names.Names()
            for file in self._desk.workspace.files():
                known.add(file.path)
            self._path = known.add(path)
        except names.BadName as refused:
            self._path = None
            self._object("name_refused", f"The file {path[:200]!r} was not written: {refused.reason}")
            return
        language = _LANGUAGES.get(PurePosixPath(self._path).suffix, "")
        opened = work.FileOpened(path=self._path, generation_id=self._generation, language=language)
        self._desk.emit(file_opened=opened)
        self._advance("pending", "active", self._path)

    def _show(self, text: str) -> None:
        if self._path is not None:
            for part in texts.cut(text, MOST_EVENT_TEXT):
                self._desk.emit(file_delta=work.FileDelta(path=self._path, text=part))

    def _write(self, content: str) -> None:
        path, self._path = self._path, None
        if path is None:
            return
        former = self._read(path)
        try:
            file = self._desk.workspace.write(path, content.encode())
        except (names.BadName, workspaces.WorkspaceFull) as refused:
            self._object("file_refused", f"The file {path} was not written: {refused}")
            return
        self._former.setdefault(path, former)
        self._written(file, existed=former is not None)
        self.touched.append(path)
        self._advance("active", "done", path)

    def _delete(self, path: str) -> None:
        try:
            path = names.check_path(path)
            former = self._read(path)
            self._desk.workspace.delete(path)
        except (names.BadName, workspaces.NoSuchFile) as refused:
            self._desk.warn("file_refused", f"The file {path[:200]!r} was not taken away: {refused}")
            return
        self._former.setdefault(path, former)
        self._deleted(path)
        self.touched.append(path)

    def _put_back(self, path: str, content: bytes | None) -> None:
        existed = self._read(path) is not None
        if content is not None:
            self._written(self._desk.workspace.write(path, content), existed=existed)
        elif existed:
            self._desk.workspace.delete(path)
            self._deleted(path)

    def _written(self, file: workspaces.File, *, existed: bool) -> None:
        change = work.FILE_CHANGE_MODIFIED if existed else work.FILE_CHANGE_CREATED
        # Created stays created: it says what became of the file since the beginning.
        if self.changes.get(file.path) != "create":
            self.changes[file.path] = "modify" if existed else "create"
        sha256 = bytes.fromhex(file.sha256)
        written = work.FileWritten(path=file.path, size_bytes=file.size, sha256=sha256, change=change)
        self._desk.emit(file_written=written)

    def _deleted(self, path: str) -> None:
        if self.changes.get(path) == "create":
            del self.changes[path]
        else:
            self.changes[path] = "delete"
        self._desk.emit(file_deleted=work.FileDeleted(path=path))

    def _read(self, path: str) -> bytes | None:
        try:
            return self._desk.workspace.read(path)
        except workspaces.NoSuchFile:
            return None

    def _advance(self, before: str, after: str, path: str) -> None:
        """Moves the steps on that `path` belongs to: active with their first file, done with their last."""
        standing = {file.path for file in self._desk.workspace.files()} if after == "done" else set()
        for step in self.steps:
            if path not in step["files"] or step["status"] != before:
                continue
            if after == "active":
                step["status"] = "active"
                self._step(step, ShownStep.STATUS_ACTIVE)
            elif standing.issuperset(step["files"]):
                step["status"] = "done"
                self._step(step, ShownStep.STATUS_DONE)

    def _step(self, step: PlanStep, status: "ShownStep.Status") -> None:
        self._desk.emit(plan_step_changed=PlanStepChanged(index=step["index"], status=status))

    def _object(self, code: str, text: str) -> None:
        self.objections.append(text)
        self._desk.warn(code, text)
