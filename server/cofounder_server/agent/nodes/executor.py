"""The executor runs the project's own tests in the sandbox."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import PurePosixPath
from typing import cast

from google.protobuf import duration_pb2

from cofounder.runner.v1 import event_work_pb2 as work
from cofounder_server import errors
from cofounder_server.agent.desk import MOST_EVENT_TEXT, Desk
from cofounder_server.agent.nodes import unittests
from cofounder_server.agent.nodes.stage import Result
from cofounder_server.agent.sandbox_seam import Exit, Limits, Output, SandboxUnavailable
from cofounder_server.agent.state import ActiveError, State, TestCount
from cofounder_server.builds import text as texts

LIMITS = Limits(output_bytes=256 * 1024, output_tail_bytes=32 * 1024)
# Output without a line break is shown after this long.
LINGER_SECONDS = 0.05
# What the state keeps of the output: its end.
MOST_KEPT = 64 * 1024

_Finished = work.CommandFinished
_REASONS = {
    "exited": _Finished.REASON_EXITED,
    "wall_clock": _Finished.REASON_WALL_CLOCK,
    "output_limit": _Finished.REASON_OUTPUT_LIMIT,
    "memory": _Finished.REASON_MEMORY,
}
_CHANNELS = {"stdout": work.CommandOutput.CHANNEL_STDOUT, "stderr": work.CommandOutput.CHANNEL_STDERR}
_TOLD = {
    "wall_clock": "it ran too long",
    "output_limit": "it wrote too much",
    "memory": "it took too much memory",
    "processes": "it started too many processes",
    "disk": "it filled the disk it was given",
    "killed": "it was killed",
}


async def executor(desk: Desk, state: State) -> Result:
    """Runs the tests, if there are any, and counts them."""
    paths = [file.path for file in desk.workspace.files()]
    if not any(path.endswith(".py") for path in paths):
        desk.warn("not_tested", "There is no Python in the project, so no tests were run.")
        return Result(_state(0, "", [], None), "Nothing to run: there is no Python in the project")
    tests = [path for path in paths if _is_test(path)]
    if not tests:
        fault = ActiveError(step="tests", type="NoTests", message="The project has no tests to run.", file="")
        return Result(_state(1, "", [fault], None), "There are no tests to run", needs_work=True)
    argv = ["python", "-m", "unittest", "discover", "-v", *_start(tests, paths)]
    return await _run(desk, f"tests-{state['runs'].get('executor', 0) + 1}", argv)


async def _run(desk: Desk, command_id: str, argv: list[str]) -> Result:
    started = desk.clock.now()
    isolated = desk.sandbox.name == "namespaces"
    if not isolated:
        desk.warn("weak_sandbox", f"The tests run without protection for this machine ({desk.sandbox.name}).")
    isolation = "namespaces" if isolated else "none"
    desk.emit(command_started=work.CommandStarted(command_id=command_id, argv=argv, isolation=isolation))
    written: list[str] = []
    end = await _follow(desk, command_id, argv, written)
    elapsed = duration_pb2.Duration()
    elapsed.FromTimedelta(desk.clock.now() - started)
    reason = _REASONS.get(end.reason, _Finished.REASON_KILLED)
    desk.emit(command_finished=_Finished(command_id=command_id, exit_code=end.code, reason=reason, elapsed=elapsed))
    if end.omitted_bytes:
        desk.warn("output_cut", f"{end.omitted_bytes} bytes from the middle of the output were left out.")
    output = "".join(written)
    report = unittests.read(output)
    desk.emit(test_reported=_reported(command_id, report))
    return _result(end, output, report)


async def _follow(desk: Desk, command_id: str, argv: list[str], written: list[str]) -> Exit:
    """Shows the output as it comes, gathers it in `written`, and returns how the command ended."""
    end: Exit | None = None
    ran = desk.sandbox.run(argv, workspace=desk.workspace.root, limits=LIMITS)
    parts = cast("AsyncGenerator[Output | Exit, None]", ran)
    try:
        async with contextlib.aclosing(parts), contextlib.aclosing(_joined(parts)) as joined:
            async for part in joined:
                if isinstance(part, Exit):
                    end = part
                else:
                    written.append(part.text)
                    _show(desk, command_id, part)
    except SandboxUnavailable:
        raise errors.SandboxUnavailable(isolation=desk.sandbox.name) from None
    if end is None:
        raise RuntimeError("the sandbox ended without an Exit; `Sandbox.run` promises one")
    return end


async def _joined(parts: AsyncIterator[Output | Exit]) -> AsyncGenerator[Output | Exit, None]:
    """Joins pieces of a line that come close together; a whole line is never kept waiting.

    The next part is awaited in a task of its own, which is cancelled and awaited at the end: the sandbox's iterator is
    then free to be closed, and closing it kills the tree.
    """
    waiting: list[Output] = []
    following = asyncio.ensure_future(anext(parts, None))
    try:
        while True:
            done, _ = await asyncio.wait({following}, timeout=LINGER_SECONDS if waiting else None)
            part = following.result() if done else None
            if waiting and not (isinstance(part, Output) and part.stream == waiting[0].stream):
                yield Output(waiting[0].stream, "".join(piece.text for piece in waiting))
                waiting.clear()
            if not done:
                continue
            if part is None:
                return
            if isinstance(part, Output):
                waiting.append(part)
            else:
                yield part
            if isinstance(part, Output) and "\n" in part.text:
                yield Output(part.stream, "".join(piece.text for piece in waiting))
                waiting.clear()
            following = asyncio.ensure_future(anext(parts, None))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _show(desk: Desk, command_id: str, output: Output) -> None:
    for part in texts.cut(output.text, MOST_EVENT_TEXT):
        shown = work.CommandOutput(command_id=command_id, channel=_CHANNELS[output.stream], text=part)
        desk.emit(command_output=shown)


def _result(end: Exit, output: str, report: unittests.Report) -> Result:
    faults = [
        ActiveError(step=failure.name, type=failure.type, message=failure.message, file=failure.file)
        for failure in report.failures
    ]
    if end.reason != "exited":
        told = _TOLD.get(end.reason, end.reason)
        faults.append(ActiveError(step="tests", type=end.reason, message=f"The tests were ended: {told}.", file=""))
    elif end.code != 0 and not faults:
        faults.append(ActiveError(step="tests", type="Exit", message=f"Exit status {end.code}.", file=""))
    elif not faults and report.passed + report.failed == 0:
        faults.append(ActiveError(step="tests", type="NoTests", message="No test was found and run.", file=""))
    count = TestCount(passed=report.passed, failed=report.failed, skipped=report.skipped)
    update = _state(end.code, output[-MOST_KEPT:], faults, count)
    needs_work = end.code != 0 or bool(faults)
    return Result(update, _summary(report, faults), needs_work=needs_work)


def _summary(report: unittests.Report, faults: list[ActiveError]) -> str:
    run = report.passed + report.failed
    if report.failed:
        return f"{report.failed} of {run} tests fail{'s' * (report.failed == 1)}"
    if faults:
        return faults[0]["message"]
    skipped = f", {report.skipped} skipped" if report.skipped else ""
    return f"All {run} tests pass{skipped}"


def _state(code: int, output: str, faults: list[ActiveError], tests: TestCount | None) -> State:
    count = tests or TestCount(passed=0, failed=0, skipped=0)
    return State(exit_code=code, output=output, errors=faults, tests=count)


def _reported(command_id: str, report: unittests.Report) -> work.TestReported:
    return work.TestReported(
        command_id=command_id,
        passed=report.passed,
        failed=report.failed,
        skipped=report.skipped,
        failures=[work.FailedTest(name=failure.name, message=failure.text) for failure in report.failures[:20]],
    )


def _is_test(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.startswith("test") and name.endswith(".py")


def _start(tests: list[str], paths: list[str]) -> list[str]:
    """Returns the option that names the folder to begin in: the root, unless a folder of tests is no package."""
    known = set(paths)
    for test in tests:
        for folder in PurePosixPath(test).parents[:-1]:
            if f"{folder}/__init__.py" not in known:
                return ["-s", str(PurePosixPath(test).parent)]
    return []
