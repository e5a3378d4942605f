"""A runner service on a real socket, scripted by the test, and the command line as a real process."""

import asyncio
import os
import pty
import sys
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from cofounder.runner.v1 import build_event_pb2, build_pb2, runner_service_pb2, runner_service_pb2_grpc, stage_pb2
from cofounder.runner.v1 import event_agent_pb2 as agent
from cofounder.runner.v1 import event_lifecycle_pb2 as life
from cofounder.runner.v1 import event_work_pb2 as work
from cofounder.usage.v1 import usage_service_pb2, usage_service_pb2_grpc

BUILD_ID = "019377e0-0000-7000-8000-000000000001"
TOKEN = "development-token-of-the-test"
DEADLINE = 30.0
START_SECONDS = 1_790_000_000

_TERMINAL = {
    "build_succeeded": build_pb2.BUILD_STATE_SUCCEEDED,
    "build_partial": build_pb2.BUILD_STATE_PARTIAL,
    "build_failed": build_pb2.BUILD_STATE_FAILED,
    "build_cancelled": build_pb2.BUILD_STATE_CANCELLED,
}


class FakeUsage(usage_service_pb2_grpc.UsageServiceServicer):
    """Serves what a test says was used, and streams it again whenever the test says something else."""

    def __init__(self) -> None:
        self.limits: list[usage_service_pb2.LimitUse] = []
        self.sums: list[usage_service_pb2.UsageSum] = []
        self.asked: list[usage_service_pb2.SummarizeUsageRequest] = []
        self.changed = asyncio.Condition()
        self.cut = False
        """Ends the stream that runs, once, as a server does that goes away."""

    async def show(self, *limits: usage_service_pb2.LimitUse) -> None:
        async with self.changed:
            self.limits = list(limits)
            self.changed.notify_all()

    async def GetUsage(self, request, context):
        return usage_service_pb2.GetUsageResponse(limits=self.limits)

    async def SummarizeUsage(self, request, context):
        self.asked.append(request)
        return usage_service_pb2.SummarizeUsageResponse(sums=self.sums)

    async def WatchUsage(self, request, context):
        shown = None
        while True:
            shown = await self._other_than(shown)
            if self.cut:
                self.cut = False
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            yield usage_service_pb2.WatchUsageResponse(limits=shown)

    async def _other_than(self, shown):
        async with self.changed:
            await self.changed.wait_for(lambda: self.limits != shown)
            return self.limits


class FakeRunner(runner_service_pb2_grpc.RunnerServiceServicer):
    """Serves one build's log as the contract says, with the faults that a test asks for."""

    def __init__(self) -> None:
        self.build = build_pb2.Build(
            build_id=BUILD_ID,
            project_id="p",
            goal="A URL shortener with tests",
            state=build_pb2.BUILD_STATE_RUNNING,
            cost_microdollars=12_300,
            commit_sha="",
            repository_uri="file:///tmp/projects/p/repo%20one",
        )
        self.build.create_time.FromSeconds(START_SECONDS)
        self.events: list[build_event_pb2.BuildEvent] = []
        self.changed = asyncio.Condition()
        self.aborts: dict[str, list[status_pb2.Status]] = {}
        """What a method answers with, before it serves again."""
        self.starts: list[runner_service_pb2.StartBuildRequest] = []
        self.cancels: list[str] = []
        self.watched_after: list[int] = []
        self.metadata: list[dict[str, str]] = []
        self.rewrite: Callable[[runner_service_pb2.WatchBuildResponse], None] = lambda response: None
        """Spoils a response on its way, for a test of the client's checks."""
        self.batch = 3
        self.end_after: int | None = None
        """Ends the next stream with OK after this sequence, although more follows."""
        self.usage = FakeUsage()
        self.port = 0
        self._server: grpc.aio.Server | None = None

    @staticmethod
    def status(code: int, message: str, *details: Message) -> status_pb2.Status:
        """Returns a status with its details packed."""
        status = status_pb2.Status(code=code, message=message)
        for detail in details:
            status.details.add().Pack(detail)
        return status

    @staticmethod
    def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
        """Returns the detail that names the reason."""
        return error_details_pb2.ErrorInfo(reason=reason, domain="cofounder.dev", metadata=metadata)

    async def serve(self) -> None:
        """Listens on a free port, and on the same one again after `stop`."""
        options = [("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)]
        self._server = grpc.aio.server(options=options)
        runner_service_pb2_grpc.add_RunnerServiceServicer_to_server(self, self._server)
        usage_service_pb2_grpc.add_UsageServiceServicer_to_server(self.usage, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def append(self, *bodies: Message, after_seconds: float = 1.0) -> None:
        """Appends events; each body is a message of one of the kinds."""
        async with self.changed:
            for body in bodies:
                self.events.append(event_of(len(self.events) + 1, body, after_seconds))
                kind = self.events[-1].WhichOneof("kind")
                if kind in _TERMINAL:
                    self.build.state = _TERMINAL[kind]
                    self.build.finish_time.CopyFrom(self.events[-1].create_time)
            self.build.last_sequence = len(self.events)
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until `condition` holds; it is looked at after every call and append."""
        async with asyncio.timeout(DEADLINE), self.changed:
            await self.changed.wait_for(condition)

    async def StartBuild(self, request, context):
        await self._enter("StartBuild", context)
        self.starts.append(request)
        self.build.goal, self.build.scenario = request.goal, request.scenario
        self.build.rehearsal = self.build.rehearsal or bool(request.scenario)
        return runner_service_pb2.StartBuildResponse(build=self.build, created=len(self.starts) == 1)

    async def GetBuild(self, request, context):
        await self._enter("GetBuild", context)
        if request.build_id != BUILD_ID:
            info = self.info("NOT_FOUND", resource="build", id=request.build_id)
            await abort(context, self.status(code_pb2.NOT_FOUND, f"build {request.build_id} was not found", info))
        return runner_service_pb2.GetBuildResponse(build=self.build)

    async def ListBuilds(self, request, context):
        await self._enter("ListBuilds", context)
        return runner_service_pb2.ListBuildsResponse(builds=[self.build])

    async def CancelBuild(self, request, context):
        await self._enter("CancelBuild", context)
        self.cancels.append(request.build_id)
        return runner_service_pb2.CancelBuildResponse(build=self.build, sequence=len(self.events))

    async def WatchBuild(self, request, context):
        await self._enter("WatchBuild", context)
        cursor = request.after_sequence
        async with self.changed:
            self.watched_after.append(cursor)
            self.changed.notify_all()
        while events := await self._next(cursor):
            cursor = events[-1].sequence
            response = runner_service_pb2.WatchBuildResponse(events=events, through_sequence=cursor)
            self.rewrite(response)
            yield response
            if cursor == self.end_after:
                return

    async def _next(self, cursor: int) -> list[build_event_pb2.BuildEvent]:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.events) > cursor or self._is_over())
            return self.events[cursor : cursor + self.batch]

    def _is_over(self) -> bool:
        return bool(self.events) and self.events[-1].WhichOneof("kind") in _TERMINAL

    async def _enter(self, method: str, context) -> None:
        self.metadata.append(dict(context.invocation_metadata()))
        async with self.changed:
            self.changed.notify_all()
        if waiting := self.aborts.get(method):
            await abort(context, waiting.pop(0))


def event_of(sequence: int, body: Message, after_seconds: float = 1.0) -> build_event_pb2.BuildEvent:
    """Returns an event of the kind that `body` is."""
    event = build_event_pb2.BuildEvent(sequence=sequence, attempt=1)
    event.create_time.FromSeconds(START_SECONDS + int(sequence * after_seconds))
    event.create_time.nanos = 250_000_000
    for field_ in build_event_pb2.BuildEvent.DESCRIPTOR.oneofs_by_name["kind"].fields:
        if field_.message_type == body.DESCRIPTOR:
            getattr(event, field_.name).CopyFrom(body)
            return event
    raise AssertionError(f"no kind for {body.DESCRIPTOR.full_name}")


async def abort(context, status: status_pb2.Status) -> None:
    codes = {code.value[0]: code for code in grpc.StatusCode}
    details = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(codes[status.code], status.message, trailing_metadata=details)


@dataclass
class Ran:
    """What one run of the program left."""

    exit_code: int
    out: str
    err: str


@dataclass
class Cli:
    """Runs `python -m cofounder_cli` as a process of its own."""

    folder: Path
    port: int
    environ: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        mine = {"COFOUNDER_GRPC": f"127.0.0.1:{self.port}", "COFOUNDER_TOKEN": TOKEN, "PYTHONUTF8": "1"}
        return {**kept, **mine, **self.environ}

    async def spawn(self, *words: str, **pipes) -> asyncio.subprocess.Process:
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, **pipes}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cofounder_cli", *words),
            cwd=self.folder, env=self.environment(), limit=64 * 2**20, **pipes,
        )  # fmt: skip

    async def run(self, *words: str, stdin: bytes | None = None) -> Ran:
        process = await self.spawn(*words, stdin=asyncio.subprocess.PIPE)
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate(stdin)
        return Ran(process.returncode, out.decode(), err.decode())

    async def run_in_terminal(self, *words: str, columns: int = 80) -> Ran:
        """Runs in a pseudo-terminal that passes every byte as it is; `out` holds all of them."""
        ours, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        termios.tcsetwinsize(theirs, (30, columns))
        self.environ.setdefault("TERM", "xterm-256color")
        process = await self.spawn(*words, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        async with asyncio.timeout(DEADLINE):
            out = await _read_all(ours)
            await process.wait()
        return Ran(process.returncode, out.decode(), "")


async def _read_all(descriptor: int) -> bytes:
    reader = asyncio.StreamReader(limit=64 * 2**20)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", 0))
    chunks = []
    try:
        while chunk := await reader.read(65_536):
            chunks.append(chunk)
    except OSError:  # the other side of a pseudo-terminal closes with an error
        pass
    finally:
        transport.close()
    return b"".join(chunks)


@pytest.fixture
async def server() -> AsyncIterator[FakeRunner]:
    runner = FakeRunner()
    await runner.serve()
    yield runner
    await runner.stop()


@pytest.fixture
def cli(server: FakeRunner, tmp_path: Path) -> Cli:
    return Cli(tmp_path, server.port)


@pytest.fixture
def happy_path() -> Sequence[Message]:
    """The bodies of a small build that succeeds."""
    coder = stage_pb2.STAGE_CODER
    return [
        life.BuildAccepted(project_id="p", goal="A URL shortener with tests", plan_slug="bootstrapper"),
        life.AttemptStarted(worker_id="w1", kept_through_sequence=1),
        life.StageStarted(stage=coder, iteration=1),
        agent.GenerationStarted(generation_id="g1", stage=coder, model="claude-sonnet-5-5"),
        agent.TextDelta(generation_id="g1", text="I begin with "),
        agent.TextDelta(generation_id="g1", text="the model.\n"),
        work.FileOpened(path="app/models.py", generation_id="g1"),
        work.FileDelta(path="app/models.py", text="class Link:\n    pass\n"),
        work.FileWritten(path="app/models.py", size_bytes=21, change=work.FILE_CHANGE_CREATED),
        agent.UsageRecorded(generation_id="g1", input_tokens=1200, output_tokens=300, cost_microdollars=8_100),
        life.StageFinished(stage=coder, iteration=1, outcome=1, summary="One file written"),
        work.CommandStarted(command_id="c1", argv=["pytest", "-q"], isolation="namespaces"),
        work.CommandOutput(command_id="c1", channel=1, text="...\n3 passed\n"),
        work.CommandFinished(command_id="c1", exit_code=0, reason=1),
        work.TestReported(command_id="c1", passed=3),
        work.CommitCreated(sha="0f" * 20, branch="main", message="Add models", files_changed=1, insertions=2),
        life.BuildSucceeded(commit_sha="0f" * 20, summary="A shortener with three tests"),
    ]
