"""A runner that plays a script: no network, no key, no randomness, and the same events each time."""

import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from google.protobuf import duration_pb2

from cofounder.runner.v1 import event_agent_pb2 as said
from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1 import event_work_pb2 as work
from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import scenarios
from cofounder_server.agent.runner import BuildOrder, Caller
from cofounder_server.agent.scenarios import SCENARIOS
from cofounder_server.builds.model import StageEnd
from cofounder_server.clock import Clock

__all__ = ["SCENARIOS", "RunnerFake"]

MODEL = "scripted"
BRANCH = "build/rehearsal"
COMMAND_ID = "tests-1"

_TOKEN = re.compile(r"\s*\S{1,12}|\s+")
_Events = AsyncGenerator[BuildEvent, None]


class RunnerFake:
    """Plays one of `SCENARIOS`.

    Args:
        scenario: Its name. Raises `InvalidRequest`, naming the four, for any other.
        clock: Sleeps between two pieces; a virtual one makes the whole script run at once.
        pace: Seconds between two pieces of text.
    """

    def __init__(self, scenario: str, *, clock: Clock, pace: float = 0.02) -> None:
        if scenario not in scenarios.SCRIPTS:
            raise errors.InvalidRequest({"scenario": f"must be one of {', '.join(SCENARIOS)}"})
        self._script = scenarios.SCRIPTS[scenario]
        self._clock = clock
        self._pace = pace

    async def run(self, caller: Caller, order: BuildOrder, after: StageEnd | None = None) -> _Events:
        """Plays the whole script. It keeps nothing to go on from, so `after` must be None. See `BuildRunner`."""
        assert after is None
        for stage in self._stages():
            async for event in self.step(caller, order, stage):
                yield event
        yield self._end()

    async def step(self, caller: Caller, order: BuildOrder, stage: "Stage") -> _Events:
        """Plays the script of one stage. See `BuildRunner`."""
        del caller, order  # a script is the same for everybody
        played = self._stages().get(stage)
        if played is None:
            names = ", ".join(_name(known) for known in self._stages())
            raise errors.InvalidRequest({"stage": f"must be one of {names}"})
        yield BuildEvent(stage_started=life.StageStarted(stage=stage, iteration=1))
        failure = scenarios.failure(self._script)
        if failure is not None:
            yield _generation(stage)
            await self._clock.sleep(self._pace)
            raise failure
        async for event in played(stage):
            yield event
        yield self._finished(stage)

    def _stages(self) -> Mapping["Stage", Callable[["Stage"], _Events]]:
        last: dict[Stage, Callable[[Stage], _Events]] = {
            Stage.STAGE_REVIEWER: self._reviewer,
            Stage.STAGE_GIT_MANAGER: self._git_manager,
        }
        repair: dict[Stage, Callable[[Stage], _Events]] = {Stage.STAGE_DEBUGGER: self._debugger}
        return {
            Stage.STAGE_ARCHITECT: self._architect,
            Stage.STAGE_CODER: self._coder,
            Stage.STAGE_EXECUTOR: self._executor,
            **(last if self._script.passes else repair),
        }

    async def _architect(self, stage: "Stage") -> _Events:
        async for event in self._speak(stage, scenarios.ARCHITECT):
            yield event
        pending = said.PlanStep.STATUS_PENDING
        steps = [
            said.PlanStep(index=index, description=description, status=pending, paths=paths)
            for index, (description, paths) in enumerate(scenarios.PLAN, 1)
        ]
        yield BuildEvent(plan_proposed=said.PlanProposed(title=scenarios.PLAN_TITLE, steps=steps))

    async def _coder(self, stage: "Stage") -> _Events:
        generation = _generation(stage)
        yield generation
        async for event in self._text(stage, scenarios.CODER):
            yield event
        for index, (_, paths) in enumerate(scenarios.PLAN, 1):
            yield _step(index, said.PlanStep.STATUS_ACTIVE)
            for path in paths:
                async for event in self._file(stage, path):
                    yield event
            yield _step(index, said.PlanStep.STATUS_DONE)
        yield _usage(stage, scenarios.CODER + "".join(self._script.files.values()))

    async def _executor(self, stage: "Stage") -> _Events:
        del stage
        argv = ["python", "-m", "unittest", "discover", "-v", "-s", "tests"]
        started = work.CommandStarted(command_id=COMMAND_ID, argv=argv, isolation="namespaces")
        yield BuildEvent(command_started=started)
        for line in self._script.output.splitlines(keepends=True):
            await self._clock.sleep(self._pace)
            channel = work.CommandOutput.CHANNEL_STDERR
            yield BuildEvent(command_output=work.CommandOutput(command_id=COMMAND_ID, channel=channel, text=line))
        yield BuildEvent(
            command_finished=work.CommandFinished(
                command_id=COMMAND_ID,
                exit_code=0 if self._script.passes else 1,
                reason=work.CommandFinished.REASON_EXITED,
                elapsed=duration_pb2.Duration(nanos=200_000_000),
            )
        )
        failed = [] if self._script.passes else [(scenarios.FAILED_TEST, scenarios.FAULT)]
        failures = [work.FailedTest(name=name, message=message) for name, message in failed]
        report = work.TestReported(command_id=COMMAND_ID, passed=2 - len(failed), failed=len(failed), failures=failures)
        yield BuildEvent(test_reported=report)

    async def _debugger(self, stage: "Stage") -> _Events:
        async for event in self._speak(stage, scenarios.DEBUGGER):
            yield event

    async def _reviewer(self, stage: "Stage") -> _Events:
        async for event in self._speak(stage, scenarios.REVIEWER):
            yield event

    async def _git_manager(self, stage: "Stage") -> _Events:
        del stage
        await self._clock.sleep(self._pace)
        yield BuildEvent(
            commit_created=work.CommitCreated(
                sha=self._sha(),
                branch=BRANCH,
                message=f"{scenarios.PLAN_TITLE}\n\n2 tests pass.\n",
                files_changed=len(self._script.files),
                insertions=sum(content.count("\n") for content in self._script.files.values()),
            )
        )

    async def _speak(self, stage: "Stage", text: str) -> _Events:
        yield _generation(stage)
        async for event in self._text(stage, text):
            yield event
        yield _usage(stage, text)

    async def _text(self, stage: "Stage", text: str) -> _Events:
        for piece in _TOKEN.findall(text):
            await self._clock.sleep(self._pace)
            yield BuildEvent(text_delta=said.TextDelta(generation_id=_generation_id(stage), text=piece))

    async def _file(self, stage: "Stage", path: str) -> _Events:
        content = self._script.files[path]
        language = "python" if path.endswith(".py") else "markdown"
        opened = work.FileOpened(path=path, generation_id=_generation_id(stage), language=language)
        yield BuildEvent(file_opened=opened)
        for piece in _TOKEN.findall(content):
            await self._clock.sleep(self._pace)
            yield BuildEvent(file_delta=work.FileDelta(path=path, text=piece))
        yield BuildEvent(
            file_written=work.FileWritten(
                path=path,
                size_bytes=len(content.encode()),
                sha256=hashlib.sha256(content.encode()).digest(),
                change=work.FILE_CHANGE_CREATED,
            )
        )

    def _finished(self, stage: "Stage") -> BuildEvent:
        broken = stage == Stage.STAGE_EXECUTOR and not self._script.passes
        outcomes = life.StageFinished
        return BuildEvent(
            stage_finished=life.StageFinished(
                stage=stage,
                iteration=1,
                outcome=outcomes.OUTCOME_NEEDS_WORK if broken else outcomes.OUTCOME_DONE,
                summary=self._summary(stage),
                tree_hash=self._tree(written=stage != Stage.STAGE_ARCHITECT),
            )
        )

    def _summary(self, stage: "Stage") -> str:
        summaries: dict[Any, str] = {
            Stage.STAGE_ARCHITECT: f"A plan of {len(scenarios.PLAN)} steps: {scenarios.PLAN_TITLE}",
            Stage.STAGE_CODER: f"Wrote {len(self._script.files)} files",
            Stage.STAGE_EXECUTOR: "All 2 tests pass" if self._script.passes else "1 of 2 tests fails",
            Stage.STAGE_DEBUGGER: "Explained 1 failure",
            Stage.STAGE_REVIEWER: "The result is what the plan asks for",
            Stage.STAGE_GIT_MANAGER: f"Committed {self._sha()[:10]} on {BRANCH}",
        }
        return summaries[stage]

    def _end(self) -> BuildEvent:
        if self._script.passes:
            summary = f"{scenarios.PLAN_TITLE}: 2 tests pass"
            return BuildEvent(build_succeeded=life.BuildSucceeded(commit_sha=self._sha(), summary=summary))
        failures = [f"{scenarios.FAILED_TEST}: {scenarios.FAULT}"]
        summary = f"{scenarios.PLAN_TITLE}: 1 test passes, 1 fails"
        return BuildEvent(build_partial=life.BuildPartial(summary=summary, failures=failures))

    def _tree(self, *, written: bool) -> bytes:
        """Returns the name of the workspace's state, made as `Workspace.tree_hash` makes it."""
        whole = hashlib.sha256()
        for path, content in sorted(self._script.files.items() if written else ()):
            whole.update(f"{path}\0{hashlib.sha256(content.encode()).hexdigest()}\n".encode())
        return whole.digest()

    def _sha(self) -> str:
        return hashlib.sha1(self._tree(written=True), usedforsecurity=False).hexdigest()


def _name(stage: "Stage") -> str:
    return Stage.Name(stage).removeprefix("STAGE_").lower()


def _generation_id(stage: "Stage") -> str:
    return f"gen_{_name(stage)}"


def _generation(stage: "Stage") -> BuildEvent:
    started = said.GenerationStarted(generation_id=_generation_id(stage), stage=stage, model=MODEL)
    return BuildEvent(generation_started=started)


def _step(index: int, status: "said.PlanStep.Status") -> BuildEvent:
    return BuildEvent(plan_step_changed=said.PlanStepChanged(index=index, status=status))


def _usage(stage: "Stage", text: str) -> BuildEvent:
    """Meters a scripted call: as a provider would count, at two and ten microdollars a token."""
    read, written = 800, len(_TOKEN.findall(text))
    return BuildEvent(
        usage_recorded=said.UsageRecorded(
            generation_id=_generation_id(stage),
            model=MODEL,
            stage=stage,
            input_tokens=read,
            output_tokens=written,
            cost_microdollars=2 * read + 10 * written,
            price_version="scripted",
            provider_request_id=f"req_{_name(stage)}",
        )
    )
