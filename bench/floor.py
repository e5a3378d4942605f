"""The least the one-log design can cost on this machine: the floor that a measurement of the product is held against.

    worker: encode, commit the batch to Postgres, publish the same bytes on Redis
    server: read Redis, write one gRPC message      gateway: read gRPC, write one websocket frame a watcher

No auth, no queue, no model, no catching up: only the path of an event, durable before it is shown. Alone:

    python -m bench.floor --dsn postgresql://… --redis redis://… --watchers 1 --rate 50 --events 300
"""

import asyncio
import contextlib
import json
import struct
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import click
import grpc
import picows
import redis.asyncio as redis

from bench.parts import Cast, Figures, Ties
from cofounder_testkit.stack import free_port

PAD = b"x" * 48
BATCH_EVENTS = 512
APPEND = """with head as (update floor_build set head = head + $2 where id = 1 and lease = 1 returning head)
insert into floor_log select 1, head - $2 + 1, head, $1 from head"""
TABLES = """drop table if exists floor_build, floor_log;
create table floor_build(id int primary key, lease int, head bigint);
create table floor_log(build int, first bigint, last bigint, body bytea, primary key (build, last));
insert into floor_build values (1, 1, 0)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A load on the floor: `events` at `rate` a second (0: as fast as it goes), to so many watchers (0: to nobody)."""

    dsn: str
    redis: str
    watchers: int
    rate: float
    events: int
    grpc_port: int
    socket_port: int


def encode(i: int) -> bytes:
    event = struct.pack("<dI", time.time(), i) + PAD
    return b"\x0a" + bytes([len(event)]) + event


SIZE = len(encode(0))


async def worker(ties: Ties, a: Floor) -> None:
    client: Any = redis.from_url(a.redis)
    db: Any = await asyncpg.connect(a.dsn)
    append = await db.prepare(APPEND)
    pending: list[bytes] = []
    wake, done = asyncio.Event(), asyncio.Event()

    async def flush() -> None:
        while not done.is_set() or pending:
            await wake.wait()
            wake.clear()
            while pending:
                batch = pending[:BATCH_EVENTS]
                del pending[:BATCH_EVENTS]
                body = b"".join(batch)
                await append.fetch(body, len(batch))
                await client.xadd("floor", {b"e": body}, maxlen=10_000)

    ties.await_("go")
    task = asyncio.create_task(flush())
    cpu, start = time.process_time(), time.perf_counter()
    for i in range(a.events):
        pending.append(encode(i))
        wake.set()
        if a.rate:
            await asyncio.sleep(max(0.0, start + (i + 1) / a.rate - time.perf_counter()))
        elif i % 64 == 0:
            await asyncio.sleep(0)
    done.set()
    wake.set()
    await task
    seconds = time.perf_counter() - start
    ties.report(worker_us=(time.process_time() - cpu) / a.events * 1e6, appended_per_s=a.events / seconds)


async def server(ties: Ties, a: Floor) -> None:
    client: Any = redis.from_url(a.redis)
    over = asyncio.Event()

    async def watch(_: bytes, context: Any) -> None:
        last, sent = "0", 0
        # Hello: the watch is in place.
        await context.write(b"")
        cpu = time.process_time()
        while sent < a.events:
            for _, entries in await client.xread({"floor": last}, count=1000, block=5000) or ():
                last = entries[-1][0]
                body = b"".join(fields[b"e"] for _, fields in entries)
                sent += len(body) // SIZE
                await context.write(body)
        ties.report(server_us=(time.process_time() - cpu) / a.events * 1e6)
        over.set()

    listener = grpc.aio.server()
    handler: Any = grpc.unary_stream_rpc_method_handler(watch)  # type: ignore[arg-type]
    listener.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor.Floor", {"Watch": handler}),))
    listener.add_insecure_port(f"127.0.0.1:{a.grpc_port}")
    await listener.start()
    ties.reach("server")
    await over.wait()
    await listener.stop(1)


async def gateway(ties: Ties, a: Floor) -> None:
    sockets: list[Any] = []
    full = asyncio.Event()

    class Watcher(picows.WSListener):  # type: ignore[misc]
        def on_ws_connected(self, transport: Any) -> None:
            sockets.append(transport)
            if len(sockets) == a.watchers:
                full.set()

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            del transport, frame  # a watcher of the floor has nothing to say

    await picows.ws_create_server(lambda _: Watcher(), "127.0.0.1", a.socket_port)
    ties.reach("gateway")
    await full.wait()
    ties.await_("server")
    channel: Any = grpc.aio.insecure_channel(f"127.0.0.1:{a.grpc_port}")
    frames, cpu = 0, 0.0
    async for body in channel.unary_stream("/floor.Floor/Watch")(b""):
        if not body:
            ties.reach("go")
            cpu = time.process_time()
            continue
        frames += 1
        for socket in sockets:
            socket.send(picows.WSMsgType.BINARY, body)
    while any(socket.underlying_transport.get_write_buffer_size() for socket in sockets):
        await asyncio.sleep(0.005)
    spent = time.process_time() - cpu
    ties.report(gateway_us_a_frame=spent / (frames * a.watchers) * 1e6, events_per_frame=a.events / frames)
    await asyncio.sleep(1)


async def watchers(ties: Ties, a: Floor) -> None:
    ties.await_("gateway")
    latency: list[float] = []
    got, over = 0, asyncio.Event()

    def listener(timed: bool) -> Any:
        class Listener(picows.WSListener):  # type: ignore[misc]
            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                nonlocal got
                del transport
                body = frame.get_payload_as_bytes()
                got += len(body) // SIZE
                if timed:
                    now = time.time()
                    latency.extend(now - struct.unpack_from("<d", body, at + 2)[0] for at in range(0, len(body), SIZE))
                if got == a.events * a.watchers:
                    over.set()

        return Listener

    for i in range(a.watchers):
        await picows.ws_connect(listener(i == 0), f"ws://127.0.0.1:{a.socket_port}/")
    await over.wait()
    ties.report(end=time.time())
    latency.sort()
    ties.report(p50_ms=latency[len(latency) // 2] * 1e3, p99_ms=latency[int(len(latency) * 0.99)] * 1e3)


async def prepare(dsn: str, url: str) -> None:
    db: Any = await asyncpg.connect(dsn)
    async with contextlib.aclosing(redis.from_url(url)) as client:
        await db.execute(TABLES)
        await client.delete("floor")
    await db.close()


def measure(*, dsn: str, url: str, watchers_: int = 1, rate: float, events: int) -> Figures:
    """Runs a load on the floor and returns its figures. With no watchers, only the worker runs.

    worker_us, server_us: CPU microseconds an event; gateway_us_a_frame: a frame written; p50_ms, p99_ms: from the
    worker's clock to the first watcher's socket.
    """
    asyncio.run(prepare(dsn, url))
    ports = {"grpc_port": free_port(), "socket_port": free_port()}
    load = Floor(dsn=dsn, redis=url, watchers=watchers_, rate=rate, events=events, **ports)
    ties = Ties.of("server", "gateway", "go")
    if not watchers_:
        ties.reach("go")
        with Cast(ties, [worker], load) as cast:
            return cast.figures("worker_us", "appended_per_s")
    with Cast(ties, [server, gateway, watchers, worker], load) as cast:
        cast.await_("go")
        start = time.time()
        names = ("worker_us", "server_us", "gateway_us_a_frame", "events_per_frame", "p50_ms", "p99_ms", "end")
        found = cast.figures(*names)
    wall = found.pop("end") - start
    return found | {"events_per_s": events / wall, "deliveries_per_s": events * watchers_ / wall}


@click.command()
@click.option("--dsn", required=True)
@click.option("--redis", "url", required=True)
@click.option("--watchers", "watchers_", default=1, show_default=True)
@click.option("--rate", default=50.0, show_default=True, help="Events a second; 0 for as fast as it goes.")
@click.option("--events", default=300, show_default=True)
def main(dsn: str, url: str, watchers_: int, rate: float, events: int) -> None:
    """Measures the floor and prints its figures as JSON."""
    found = measure(dsn=dsn, url=url, watchers_=watchers_, rate=rate, events=events)
    click.echo(json.dumps({name: round(value, 2) for name, value in sorted(found.items())}))


if __name__ == "__main__":
    main()
