"""The least the one-log design can cost on this machine: the floor that a benchmark of the product is held against.

    worker: encode, commit the batch to Postgres, publish the same bytes on Redis
    server: read Redis, write one gRPC message      gateway: read gRPC, write one websocket frame a watcher

No auth, no queue, no model, no catching up: only the path of an event, durable before it is shown.

    python floor.py --dsn postgresql://… --redis redis://… --watchers 1 --rate 50 --events 300      (rate 0: as fast as it goes)

Prints one JSON object: events_per_s, deliveries_per_s, p50_ms and p99_ms (worker's clock to the last watcher's socket, first watcher
only), events_per_frame, and CPU microseconds: worker, server (an event), gateway (a frame written).
Needs: asyncpg, grpcio, picows, redis[hiredis], uvloop.
"""

import argparse
import asyncio
import json
import multiprocessing
import struct
import time

import asyncpg
import grpc
import picows
import redis.asyncio as redis
import uvloop

GRPC, WS = 9411, 9412
PAD = b"x" * 48
APPEND = """with head as (update floor_build set head = head + $2 where id = 1 and lease = 1 returning head)
insert into floor_log select 1, head - $2 + 1, head, $1 from head"""
TABLES = """drop table if exists floor_build, floor_log;
create table floor_build(id int primary key, lease int, head bigint);
create table floor_log(build int, first bigint, last bigint, body bytea, primary key (build, last));
insert into floor_build values (1, 1, 0)"""


def encode(i: int) -> bytes:
    event = struct.pack("<dI", time.time(), i) + PAD
    return b"\x0a" + bytes([len(event)]) + event


SIZE = len(encode(0))


async def worker(a, ev, out):
    r, db = redis.from_url(a.redis), await asyncpg.connect(a.dsn)
    append = await db.prepare(APPEND)
    pending, wake, done = [], asyncio.Event(), False

    async def flush():
        while not done or pending:
            await wake.wait()
            wake.clear()
            while pending:
                batch = pending[:512]
                del pending[:512]
                body = b"".join(batch)
                await append.fetch(body, len(batch))
                await r.xadd("floor", {b"e": body}, maxlen=10_000)

    ev["go"].wait()
    task = asyncio.create_task(flush())
    cpu, start = time.process_time(), time.perf_counter()
    for i in range(a.events):
        pending.append(encode(i))
        wake.set()
        if a.rate:
            await asyncio.sleep(max(0, start + (i + 1) / a.rate - time.perf_counter()))
        elif i % 64 == 0:
            await asyncio.sleep(0)
    done = True
    wake.set()
    await task
    out.put(("worker_us", (time.process_time() - cpu) / a.events * 1e6))


async def server(a, ev, out):
    r = redis.from_url(a.redis)
    over = asyncio.Event()

    async def watch(_, context):
        last, sent = "0", 0
        await context.write(b"")  # hello: the watch is in place
        cpu = time.process_time()
        while sent < a.events:
            for _, entries in await r.xread({"floor": last}, count=1000, block=5000) or ():
                last = entries[-1][0]
                body = b"".join(fields[b"e"] for _, fields in entries)
                sent += len(body) // SIZE
                await context.write(body)
        out.put(("server_us", (time.process_time() - cpu) / a.events * 1e6))
        over.set()

    s = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(watch)
    s.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor.Floor", {"Watch": handler}),))
    s.add_insecure_port(f"127.0.0.1:{GRPC}")
    await s.start()
    ev["server"].set()
    await over.wait()
    await s.stop(1)


async def gateway(a, ev, out):
    sockets, full = [], asyncio.Event()

    class Watcher(picows.WSListener):
        def on_ws_connected(self, transport):
            sockets.append(transport)
            if len(sockets) == a.watchers:
                full.set()

        def on_ws_frame(self, transport, frame):
            pass

    await picows.ws_create_server(lambda request: Watcher(), "127.0.0.1", WS)
    ev["gateway"].set()
    await full.wait()
    ev["server"].wait()
    frames, cpu = 0, 0.0
    async for body in grpc.aio.insecure_channel(f"127.0.0.1:{GRPC}").unary_stream("/floor.Floor/Watch")(b""):
        if not body:
            ev["go"].set()
            cpu = time.process_time()
            continue
        frames += 1
        for s in sockets:
            s.send(picows.WSMsgType.BINARY, body)
    while any(s.underlying_transport.get_write_buffer_size() for s in sockets):
        await asyncio.sleep(0.005)
    out.put(("gateway_us_a_frame", (time.process_time() - cpu) / (frames * a.watchers) * 1e6))
    out.put(("events_per_frame", a.events / frames))
    await asyncio.sleep(1)


async def watchers(a, ev, out):
    ev["gateway"].wait()
    latency, got, over = [], 0, asyncio.Event()

    def listener(timed):
        class Listener(picows.WSListener):
            def on_ws_frame(self, transport, frame):
                nonlocal got
                body = frame.get_payload_as_bytes()
                got += len(body) // SIZE
                if timed:
                    now = time.time()
                    latency.extend(now - struct.unpack_from("<d", body, at + 2)[0] for at in range(0, len(body), SIZE))
                if got == a.events * a.watchers:
                    over.set()

        return Listener

    for i in range(a.watchers):
        await picows.ws_connect(listener(i == 0), f"ws://127.0.0.1:{WS}/")
    await over.wait()
    latency.sort()
    out.put(("end", time.time()))
    out.put(("p50_ms", latency[len(latency) // 2] * 1e3))
    out.put(("p99_ms", latency[int(len(latency) * 0.99)] * 1e3))


def play(part, a, ev, out):
    uvloop.run(part(a, ev, out))


async def prepare(a):
    db = await asyncpg.connect(a.dsn)
    await db.execute(TABLES)
    await db.close()
    r = redis.from_url(a.redis)
    await r.delete("floor")
    await r.aclose()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dsn", required=True)
    p.add_argument("--redis", required=True)
    for name, default in (("watchers", 1), ("rate", 50), ("events", 300)):
        p.add_argument(f"--{name}", type=int, default=default)
    a = p.parse_args()
    asyncio.run(prepare(a))
    mp = multiprocessing.get_context("spawn")
    out, ev = mp.Queue(), {name: mp.Event() for name in ("server", "gateway", "go")}
    parts = [
        mp.Process(target=play, args=(part, a, ev, out), daemon=True) for part in (server, gateway, watchers, worker)
    ]
    for part in parts:
        part.start()
    ev["go"].wait()
    start = time.time()
    got = dict(out.get(timeout=300) for _ in range(7))
    wall = got.pop("end") - start
    print(
        json.dumps(
            {
                "watchers": a.watchers,
                "rate": a.rate,
                "events_per_s": round(a.events / wall),
                "deliveries_per_s": round(a.events * a.watchers / wall),
            }
            | {k: round(v, 2) for k, v in sorted(got.items())}
        )
    )


if __name__ == "__main__":
    main()
