"""What the scripted model says: chosen by the request alone, so the server that says it keeps nothing in mind."""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

Stage = Literal["architect", "coder", "coder_repair", "debugger", "reviewer"]

# The first line of each prompt names its role; see agent/prompts.
_ROLES: dict[str, Stage] = {
    "# Architect": "architect",
    "# Coder": "coder",
    "# Debugger": "debugger",
    "# Reviewer": "reviewer",
}
# Stands in the coder's request as soon as there is something to repair.
_FINDINGS = "## Findings"

_PLACE = re.compile(r"^\{(.+)\}$", re.MULTILINE)


def stage_of(system: str, messages: str) -> Stage | None:
    """Returns which part of the script a request asks for; None if it is not one of our agents that asks."""
    stage = _ROLES.get(system.lstrip().partition("\n")[0].strip())
    if stage == "coder" and _FINDINGS in messages:
        return "coder_repair"
    return stage


def words(stage: Stage) -> str:
    """Returns everything that the scripted model says in a stage, files in their tags."""
    if stage in ("architect", "debugger", "reviewer"):
        return _read("words", f"{stage}.md")
    # The first draft holds one mistake, which one test finds and the repair mends.
    drafts = "mistake" if stage == "coder" else "project"
    return _PLACE.sub(lambda place: _file(place[1], drafts), _read("words", f"{stage}.txt"))


def files() -> dict[str, str]:
    """Returns the finished project: content by path."""
    found: dict[str, str] = {}
    _collect(_root() / "project", "", found)
    return found


def _file(path: str, drafts: str) -> str:
    draft = _root() / drafts / path
    content = draft.read_text("utf-8") if draft.is_file() else _read("project", path)
    return f'<file path="{path}">\n{content}</file>'


def _collect(folder: Traversable, below: str, found: dict[str, str]) -> None:
    for entry in folder.iterdir():
        if entry.is_file():
            found[below + entry.name] = entry.read_text("utf-8")
        elif entry.name != "__pycache__":
            _collect(entry, f"{below}{entry.name}/", found)


def _read(*path: str) -> str:
    return _root().joinpath(*path).read_text("utf-8")


def _root() -> Traversable:
    return resources.files("cofounder_server.agent.rehearsal")
