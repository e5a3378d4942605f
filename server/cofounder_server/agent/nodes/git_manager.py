"""The git manager commits the result and sets it out for people to use."""

import shutil

from cofounder.runner.v1.event_work_pb2 import CommitCreated
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.state import State


async def git_manager(desk: Desk, state: State) -> Result:
    """Commits what the reviewer agreed to."""
    update = await commit(desk, state, message(state))
    sha = update["commits"][-1]
    return Result(update, f"Committed {sha[:10]} on {update['branch']}")


async def commit(desk: Desk, state: State, text: str) -> State:
    """Commits the workspace and exports the repository; returns how the state changes."""
    branch = f"build/{desk.caller.build_id.replace('-', '')[-12:]}"
    made = await desk.repository.commit(desk.workspace, message=text, branch=branch)
    desk.emit(
        commit_created=CommitCreated(
            sha=made.sha,
            branch=branch,
            message=text,
            files_changed=made.files,
            insertions=made.insertions,
            deletions=made.deletions,
        )
    )
    bundle = await desk.trees.keep_commits(desk.repository)
    await set_out(desk)
    return State(branch=branch, commits=[*state["commits"], made.sha], bundle=bundle.hex())


async def set_out(desk: Desk) -> None:
    """Puts the repository where people find it, in one step: what a former attempt put there is replaced whole."""
    partial = desk.exported.with_name(f".{desk.exported.name}.partial")
    former = desk.exported.with_name(f".{desk.exported.name}.former")
    for left in (partial, former):
        shutil.rmtree(left, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    await desk.repository.export(partial)
    if desk.exported.exists():
        desk.exported.rename(former)
    partial.rename(desk.exported)
    shutil.rmtree(former, ignore_errors=True)


def message(state: State, *, unfinished: bool = False) -> str:
    """Returns the commit's message: what the plan calls it, its steps, and how the tests stand. No model words it."""
    title = state["title"] or "Project"
    subject = f"{title} (unfinished)" if unfinished else title
    steps = "\n".join(f"- {step['description']}" for step in state["steps"])
    return "\n\n".join(part for part in (subject, steps, _tests(state)) if part) + "\n"


def _tests(state: State) -> str:
    tests = state.get("tests")
    if not tests or not any(tests.values()):
        return "No tests were run."
    told = [f"{tests['passed']} tests pass"]
    told += [f"{tests['failed']} fail"] if tests["failed"] else []
    told += [f"{tests['skipped']} are skipped"] if tests["skipped"] else []
    return ", ".join(told) + "."
