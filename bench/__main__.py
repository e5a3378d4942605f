"""`python -m bench`: starts the product, loads it, runs the floor beside it, prints a table, writes results.json."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import grpc
import websockets.asyncio.client as websockets
from websockets.typing import Subprotocol

from bench import jobs, load
from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import runner_service_pb2 as runner
from cofounder_testkit import scenes
from cofounder_testkit.stack import RunningStack, running

HERE = Path(__file__).parent
EVENTS = 20_000
SERVICE = "/cofounder.runner.v1.RunnerService"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio` is product over floor where there is a floor; `reach` as words."""

    name: str
    product: float
    floor: float | None
    reach: str
    reached: bool | None

    @property
    def ratio(self) -> float | None:
        return self.product / self.floor if self.floor else None


def environment_of(stack: RunningStack) -> dict[str, str]:
    """Returns the settings of the running server: its engines' addresses among them."""
    raw = (Path("/proc") / str(stack.pid_of("cofounder_server serve")) / "environ").read_bytes().decode()
    return dict(entry.partition("=")[::2] for entry in raw.split("\0") if entry)


def floor(environment: Mapping[str, str], *, rate: int, events: int) -> dict[str, float]:
    """Runs the floor against the same engines, with one watcher."""
    command = [sys.executable, str(HERE / "floor.py"), "--dsn", environment["DATABASE_URL"]]
    command += ["--redis", environment["REDIS_URL"], "--watchers", "1", "--rate", str(rate), "--events", str(events)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


async def ages(stack: RunningStack, build_id: str, *, events: int, joined: asyncio.Event) -> list[float]:
    """Watches over the gateway, and returns how old each stamped event was when it came, in milliseconds."""
    found: list[float] = []
    uri = f"ws://127.0.0.1:{stack.port}/api/socket"
    async with websockets.connect(uri, subprotocols=[Subprotocol("cofounder.v1.proto")], max_size=None) as socket:
        watch = frame_pb2.Watch(watch_id=1, request=runner.WatchBuildRequest(build_id=build_id))
        hello = frame_pb2.Hello(token=stack.token)
        for frame in (frame_pb2.ClientFrame(hello=hello), frame_pb2.ClientFrame(watch=watch)):
            await socket.send(frame.SerializeToString())
        async for data in socket:
            now = time.time()
            assert isinstance(data, bytes)
            got = frame_pb2.ServerFrame.FromString(data).batch.response.events
            joined.set()
            found += [load.age(event, now) * 1e3 for event in got if event.HasField("text_delta")]
            if len(found) >= events:
                break
    return found


async def one_watcher(stack: RunningStack, *, events: int, rate: int) -> tuple[list[float], float]:
    """Returns the ages of all events at one websocket watcher, and the seconds from first append to last frame."""
    async with load.build(environment_of(stack), "me") as work:
        joined = asyncio.Event()
        watching = asyncio.create_task(ages(stack, str(work.build_id), events=events, joined=joined))
        await joined.wait()
        start = time.perf_counter()
        await work.play(events=events, rate=rate)
        found = await watching
        return found, time.perf_counter() - start


async def first_event(stack: RunningStack) -> float:
    """Returns milliseconds from StartBuild to the first event that a watch of it shows."""
    metadata = (("authorization", f"Bearer {stack.token}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
        start = time.perf_counter()
        asked = runner.StartBuildRequest(goal="bench", request_id=str(uuid4()), scenario="happy_path")
        call = channel.unary_unary(f"{SERVICE}/StartBuild", None, None)
        answer = runner.StartBuildResponse.FromString(await call(asked.SerializeToString(), metadata=metadata))
        request = runner.WatchBuildRequest(build_id=answer.build.build_id).SerializeToString()
        watch = channel.unary_stream(f"{SERVICE}/WatchBuild", None, None)(request, metadata=metadata)
        await anext(aiter(watch))
        watch.cancel()
        elapsed = (time.perf_counter() - start) * 1e3
        cancel = runner.CancelBuildRequest(build_id=answer.build.build_id).SerializeToString()
        await channel.unary_unary(f"{SERVICE}/CancelBuild", None, None)(cancel, metadata=metadata)
    return elapsed


def at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def rows(stack: RunningStack) -> list[Row]:
    """Measures each row on the running product, the floor right beside it."""
    environment = environment_of(stack)
    # The first build makes the caller's project, which the bench's builds stand in.
    await scenes.start_build(stack)
    flat, slow = floor(environment, rate=0, events=20_000), floor(environment, rate=50, events=300)
    return [
        *await appends(environment, flat),
        *await paced(stack, slow),
        await flat_out(stack, flat),
        await firsts(stack),
    ]


async def appends(environment: Mapping[str, str], flat: Mapping[str, float]) -> list[Row]:
    say("append path alone")
    async with load.build(environment, "me") as work:
        cpu = time.process_time()
        seconds = await work.play(events=EVENTS, rate=0)
        spent = (time.process_time() - cpu) / EVENTS * 1e6
    return [
        Row("append: worker's CPU an event, µs", spent, flat["worker_us"], "noted", None),
        Row("append: events/s, durable", EVENTS / seconds, None, "noted", None),
    ]


async def paced(stack: RunningStack, slow: Mapping[str, float]) -> list[Row]:
    say("one build at 50 events/s, one websocket watcher")
    late, _ = await one_watcher(stack, events=300, rate=50)
    p50, p99 = statistics.median(late), at(late, 0.99)
    return [
        Row("50 events/s: p50, ms", p50, slow["p50_ms"], "≤ 2× floor", p50 <= 2 * slow["p50_ms"]),
        Row("50 events/s: p99, ms", p99, slow["p99_ms"], "≤ 25 ms", p99 <= 25),
    ]


async def flat_out(stack: RunningStack, flat: Mapping[str, float]) -> Row:
    say("one build flat out, one websocket watcher")
    _, seconds = await one_watcher(stack, events=EVENTS, rate=0)
    speed = EVENTS / seconds
    return Row("flat out: events/s", speed, flat["events_per_s"], "≥ 100 000", speed >= 100_000)


async def firsts(stack: RunningStack) -> Row:
    say("StartBuild to the first event of its watch")
    p95 = at([await first_event(stack) for _ in range(30)], 0.95)
    return Row("first event: p95, ms", p95, None, "≤ 300 ms", p95 <= 300)


async def claim_to_finish(data: Path) -> Row:
    say("empty jobs from claim to finish")
    product, least = await jobs.measure(data)
    return Row("claim to finish: jobs/s", product, least, "noted", None)


def say(what: str) -> None:
    print(f"measuring: {what} …", file=sys.stderr, flush=True)


def table(found: Sequence[Row]) -> str:
    lines = [f"{'':<36}{'product':>12}{'floor':>12}{'ratio':>8}  {'reach':<12}reached"]
    for row in found:
        compared = f"{row.floor:12,.2f}{row.ratio:8.2f}" if row.floor else f"{'–':>12}{'–':>8}"
        reached = {True: "yes", False: "no", None: "–"}[row.reached]
        lines.append(f"{row.name:<36}{row.product:12,.2f}{compared}  {row.reach:<12}{reached}")
    return "\n".join(lines)


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cofounder-bench-") as folder:
        async with running(Path(folder) / "data", COFOUNDER_REHEARSAL_PACE="0") as stack:
            found = await rows(stack)
        # On engines of its own: the product's worker would take these jobs.
        found.append(await claim_to_finish(Path(folder) / "jobs"))
    print(table(found))
    results = [asdict(row) | {"ratio": row.ratio} for row in found]
    (HERE / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
