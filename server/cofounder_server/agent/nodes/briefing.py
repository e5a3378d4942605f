"""What the agents are told: the goal, the plan and the files, within bounds."""

import json

from cofounder_server.agent.state import State
from cofounder_server.agent.workspace import NoSuchFile, Workspace

MOST_FILE = 40_000
MOST_FILES = 240_000
MOST_OUTPUT = 16_000


def stable(state: State) -> str:
    """Returns the goal and the plan: the part that stays the same from one stage to the next."""
    told = f"## Goal\n\n<goal>\n{state['goal']}\n</goal>"
    if not state["steps"]:
        return told
    steps = [{"description": step["description"], "files": step["files"]} for step in state["steps"]]
    plan = json.dumps({"title": state["title"], "steps": steps}, indent=1, ensure_ascii=False)
    return f"{told}\n\n## Plan\n\n{plan}"


def files(workspace: Workspace) -> str:
    """Returns the files as they stand. One that is too long or no text is named, not shown."""
    told = []
    left = MOST_FILES
    for file in workspace.files():
        content = _content(workspace, file.path) if file.size <= min(MOST_FILE, left) else None
        left -= len(content or "")
        shown = "(not shown: too long, or no text)" if content is None else f"{content}"
        told.append(f'<file path="{file.path}">\n{shown}</file>')
    return "## Files\n\n" + ("\n\n".join(told) or "There are none yet.")


def run(state: State) -> str:
    """Returns how the last run of the tests ended."""
    output = state.get("output", "")
    cut = "" if len(output) <= MOST_OUTPUT else f"(the first {len(output) - MOST_OUTPUT} characters are left out)\n"
    tests = state.get("tests") or {"passed": 0, "failed": 0, "skipped": 0}
    counted = f"{tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped"
    faults = "\n".join(f"- {error['step']}: {error['type']}: {error['message']}" for error in state["errors"])
    return (
        f"## Last run\n\nExit status {state.get('exit_code', 0)}; {counted}.\n{faults}\n\n"
        f"<output>\n{cut}{output[-MOST_OUTPUT:]}\n</output>"
    )


def findings(state: State) -> str:
    """Returns what the debugger or the reviewer found; empty if neither has anything."""
    listed = "\n".join(f"- {finding}" for finding in state["findings"])
    found = "\n\n".join(part for part in (state["analysis"], listed) if part)
    return f"## Findings\n\n{found}" if found else ""


def _content(workspace: Workspace, path: str) -> str | None:
    try:
        return workspace.read(path).decode()
    except (UnicodeDecodeError, NoSuchFile):
        return None
