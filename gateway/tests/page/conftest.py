"""The page in a real Chromium, before a scripted gateway that speaks the real frames and sends the real policy."""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from google.protobuf import json_format, timestamp_pb2
from google.rpc import status_pb2
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import build_event_pb2, runner_service_pb2

STATIC = pathlib.Path(__file__).parents[2] / "cofounder_gateway" / "static"
HERE = pathlib.Path(__file__).parent
DEADLINE = float(os.environ.get("PAGE_DEADLINE", "20"))  # seconds a wait may take on a busy machine
BUILD = "0193a1f0-0000-7000-8000-00000000000a"
START = 1_790_000_000.0  # seconds since the epoch of the sample's first event
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
Frame = frame_pb2.ServerFrame
Event = build_event_pb2.BuildEvent


class ScriptedGateway:
    """Keeps a log for each build and serves it; a test appends, cuts and answers from its own thread.

    Everything a page sends is parsed by the contract's descriptors, so a frame that is not one fails the test.
    """

    frame = Frame

    def __init__(self) -> None:
        self.logs: dict[str, list[Event]] = {BUILD: []}
        self.frames: list[frame_pb2.ClientFrame] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | status_pb2.Status]] = {}
        self.token_status = 200
        self.token_lifetime = 3600.0  # seconds
        self.tokens = 0
        self.heartbeat = 15.0  # seconds, as promised by Ready; the sender is silent
        self.accepting = True
        self.faults: list[BaseException] = []
        self._sockets: set[WebSocket] = set()
        self._moved = threading.Condition()
        self._wake: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = uvicorn.Server(
            # No `log_config`: it would settle for all tests of this process where uvicorn's loggers write.
            uvicorn.Config(self._app(), port=0, log_config=None, ws="websockets-sansio", lifespan="off")
        )

    # For tests.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def append(self, *events: Event, build: str = BUILD) -> None:
        """Appends to a log and wakes its watchers."""
        self.logs.setdefault(build, []).extend(events)
        self._do(self._wake_all)

    def say(self, *frames: Frame) -> None:
        """Sends frames on every socket."""
        for frame in frames:
            self._do(self._broadcast, frame)

    def cut(self, code: int | None = None) -> None:
        """Closes every socket with a code, or breaks the connections without a word."""
        self._do(self._cut, code)

    def wait(self, truth: Callable[[], bool], why: str) -> None:
        """Waits until something that a page does has become true."""
        with self._moved:
            assert self._moved.wait_for(truth, DEADLINE), f"never happened: {why}"

    def hellos(self) -> int:
        return sum(frame.HasField("hello") for frame in self.frames)

    def watches(self) -> list[frame_pb2.Watch]:
        return [frame.watch for frame in self.frames if frame.HasField("watch")]

    # The server.

    @contextlib.contextmanager
    def serving(self) -> Iterator["ScriptedGateway"]:
        thread = threading.Thread(target=self._server.run, daemon=True)
        thread.start()
        while not self._server.started:
            assert thread.is_alive(), "the scripted gateway did not start"
        try:
            yield self
        finally:
            self._server.should_exit = self._server.force_exit = True
            thread.join(DEADLINE)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/development/token", self._token, methods=["POST"]),
                Route("/bare", lambda request: HTMLResponse("<!doctype html><title>bare</title>")),
                Route("/probes.js", lambda request: FileResponse(HERE / "probes.js")),
                WebSocketRoute("/api/socket", self._socket),
                Mount("/", _Policed(StaticFiles(directory=STATIC, html=True))),
            ]
        )

    def _do(self, act: Callable[..., Any], *args: Any) -> None:
        self.wait(lambda: self._loop is not None, "a page that asks for a token")

        async def run() -> None:
            result = act(*args)
            if asyncio.iscoroutine(result):
                await result

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(run(), self._loop).result(DEADLINE)

    def _wake_all(self) -> None:
        self._wake.set()
        self._wake = asyncio.Event()

    async def _broadcast(self, frame: Frame) -> None:
        for socket in list(self._sockets):
            await socket.send_text(json_format.MessageToJson(frame, indent=None))

    async def _cut(self, code: int | None) -> None:
        for socket in list(self._sockets):
            if code is not None:
                with contextlib.suppress(RuntimeError):
                    await socket.close(code)
        if code is None:
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()

    def _heard(self, note: Callable[[], None]) -> None:
        with self._moved:
            note()
            self._moved.notify_all()

    async def _token(self, request: Request) -> Response:
        self._heard(lambda: setattr(self, "_loop", asyncio.get_running_loop()))
        assert request.headers["content-type"] == "application/json"
        if self.token_status != 200:
            return JSONResponse({}, self.token_status)
        self._heard(lambda: setattr(self, "tokens", self.tokens + 1))
        return JSONResponse({"token": f"token-{self.tokens}", "expireTime": _stamp(time.time() + self.token_lifetime)})

    async def _socket(self, socket: WebSocket) -> None:
        if not self.accepting:
            await socket.close(1013)
            return
        assert not socket.url.query, "nothing may stand in the address"
        await socket.accept(subprotocol="cofounder.v1.json")
        self._sockets.add(socket)
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                frame = json_format.Parse(await socket.receive_text(), frame_pb2.ClientFrame())
                self._heard(lambda frame=frame: self.frames.append(frame))
                await self._obey(socket, frame, tasks)
        except WebSocketDisconnect:
            pass
        except BaseException as fault:
            self.faults.append(fault)
            raise
        finally:
            self._sockets.discard(socket)
            for task in tasks.values():
                task.cancel()

    async def _obey(self, socket: WebSocket, frame: Any, tasks: dict[int, asyncio.Task[None]]) -> None:
        send = lambda message: socket.send_text(json_format.MessageToJson(message, indent=None))  # noqa: E731
        kind = frame.WhichOneof("kind")
        if kind == "hello":
            assert frame.hello.token.startswith("token-")
            ready = Frame()
            ready.ready.user_id = "developer"
            ready.ready.heartbeat_interval.FromMilliseconds(int(self.heartbeat * 1000))
            await send(ready)
        elif kind == "watch":
            assert frame.watch.watch_id not in tasks
            tasks[frame.watch.watch_id] = asyncio.create_task(self._watch(send, frame.watch))
        elif kind == "unwatch":
            tasks[frame.unwatch.watch_id].cancel()
        elif kind == "call":
            await self._call(send, frame.call)

    async def _watch(self, send: Any, watch: frame_pb2.Watch) -> None:
        log, cursor = self.logs.get(watch.request.build_id), watch.request.after_sequence
        ended = Frame()
        ended.ended.watch_id = watch.watch_id
        if log is None:
            ended.ended.status.CopyFrom(status_pb2.Status(code=5, message="There is no such build."))
            await send(ended)
            return
        while True:
            wake = self._wake
            if news := log[cursor : cursor + 400]:
                frame = Frame()
                frame.batch.watch_id = watch.watch_id
                frame.batch.response.events.extend(news)
                cursor = frame.batch.response.through_sequence = news[-1].sequence
                await send(frame)
            elif log and log[-1].WhichOneof("kind") in _TERMINAL:
                ended.ended.status.SetInParent()
                await send(ended)
                return
            else:
                await wake.wait()

    async def _call(self, send: Any, call: frame_pb2.Call) -> None:
        method = call.method.rpartition("/")[2]
        request_type = getattr(runner_service_pb2, f"{method}Request")
        request = json_format.MessageToDict(json_format.Parse(call.request, request_type()))
        self._heard(lambda: self.calls.append((method, request)))
        answer = self.answers.get(method, lambda request: status_pb2.Status(code=12, message="Not served."))(request)
        end = Frame()
        end.call_end.call_id = call.call_id
        if isinstance(answer, status_pb2.Status):
            end.call_end.status.CopyFrom(answer)
        else:
            part = Frame()
            part.call_part.call_id = call.call_id
            response = json_format.ParseDict(answer, getattr(runner_service_pb2, f"{method}Response")())
            part.call_part.response = json_format.MessageToJson(response, indent=None).encode()
            await send(part)
        await send(end)


class _Policed:
    """Adds the policy that the gateway sends with every page."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def headed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        await self._app(scope, receive, headed)


_TERMINAL = {"build_succeeded", "build_partial", "build_failed", "build_cancelled"}


def _stamp(seconds: float) -> str:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromMicroseconds(int(seconds * 1_000_000))
    return stamp.ToJsonString()


def number(steps: list[dict[str, Any]], *, first: int = 1, at: float = START, attempt: int = 1) -> list[Event]:
    """Makes a log of steps: numbered, timed, with long texts cut into deltas as a model would write them."""
    events: list[Event] = []
    for step in steps:
        seconds = step.get("seconds", 0.0)
        kind = next(key for key in step if key != "seconds")
        for body in _pieces(kind, step[kind]):
            at += seconds + 0.03
            seconds = 0.0
            sequence = first + len(events)
            head = {
                "sequence": sequence,
                "createTime": _stamp(at),
                "attempt": 0 if kind == "buildAccepted" else attempt,
            }
            events.append(json_format.ParseDict({**head, kind: body}, Event()))
    return events


def _pieces(kind: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if kind not in ("textDelta", "thinkingDelta", "fileDelta", "commandOutput"):
        yield body
        return
    text, start, turn = body["text"], 0, 0
    while start < len(text):
        length = (7, 11, 5, 13, 9)[turn % 5]
        yield {**body, "text": text[start : start + length]}
        start, turn = start + length, turn + 1


@pytest.fixture
def probe() -> Callable[..., Any]:
    """Asks a page one of the questions in probes.js."""
    ask = "async ([name, argument]) => (await import('/probes.js'))[name](argument)"
    return lambda page, name, argument=None: page.evaluate(ask, [name, argument])


@pytest.fixture
def log() -> Callable[..., list[Event]]:
    """`number`, for tests that write their own log."""
    return number


@pytest.fixture(scope="session")
def sample() -> list[Event]:
    """A whole build: plan, five files, a failing test, its repair, a review and a commit."""
    return number([json.loads(line) for line in (HERE / "sample_build.jsonl").read_text().splitlines()])


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with ScriptedGateway().serving() as scripted:
        yield scripted
        assert scripted.faults == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Of the module, since its driver holds the thread's event loop and other tests need that."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        line = "no Chromium on this machine: apt-get install -y chromium, or CHROMIUM=/path"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            raise RuntimeError(line)
        pytest.skip(line)
    with sync_playwright() as driver:
        flags = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"]
        chromium = driver.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


WATCHED = """
window.violations = []; window.shifted = 0;
addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective} ${e.sample}`));
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifted += e.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a context of its own; at the end no page may have raised or broken the policy."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(url: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(DEADLINE * 1000)
        context.add_init_script(WATCHED)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            faults.extend(page.evaluate("() => window.violations"))
        context.close()
    assert faults == []
