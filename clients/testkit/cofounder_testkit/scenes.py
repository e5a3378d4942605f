"""Whole scenes with a real stack: one build watched in every way, and one that survives the death of each program."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from cofounder_testkit import checker, watch
from cofounder_testkit.checker import Record
from cofounder_testkit.stack import RunningStack, running

Say = Callable[[str], None]
Scene = Callable[[Path], Coroutine[None, None, list[Record]]]

IDEA = "A URL shortener with tests"
LATE_AFTER_EVENTS = 60
# The programs that are killed, in this order, each after so many more events than the one before.
VICTIMS = ("cofounder_server work", "cofounder_server serve", "cofounder_gateway")
EVENTS_BETWEEN_KILLS = 60


async def watchers(data: Path, say: Say, *, pace: float, seed: int) -> list[Record]:
    """Watches one build at once by CLI, late by a second CLI, by a websocket that is cut three times, by gRPC and by
    a foreign gRPC client; returns their records, checked and equal.

    Raises:
        PromiseBroken: A promise did not hold.
    """
    async with running(data, COFOUNDER_REHEARSAL_PACE=str(pace)) as stack:
        build_id = await start_build(stack)
        say(f"build {build_id}, pace {pace}, seed {seed}")
        records = await watch.together(
            watch.over_grpc(stack, build_id),
            watch.over_websocket(stack, build_id, cuts=3, seed=seed),
            watch.by_cli(stack, build_id),
            _late_cli(stack, build_id),
            watch.by_buf_curl(stack, build_id),
        )
    _report(records, checker.check_all(records), say)
    return records


async def kills(data: Path, say: Say, *, pace: float) -> list[Record]:
    """Kills worker, server and gateway with -9 while a build runs; returns the records of three watchers, checked and
    equal.

    Raises:
        PromiseBroken: A promise did not hold.
    """
    async with running(data, COFOUNDER_REHEARSAL_PACE=str(pace), COFOUNDER_LEASE_SECONDS="2", **QUICK) as stack:
        build_id = await start_build(stack)
        say(f"build {build_id}, pace {pace}")
        async with asyncio.TaskGroup() as group:
            ways = (watch.over_grpc, watch.over_websocket, watch.by_cli)
            watching = [group.create_task(way(stack, build_id)) for way in ways]
            await _kill_each(stack, build_id, say)
        records = [task.result() for task in watching]
    _report(records, checker.check_all(records), say)
    return records


# Death is noticed sooner, so that the scene is shorter.
QUICK = {"COFOUNDER_HEARTBEAT_SECONDS": "0.5", "COFOUNDER_SWEEP_SECONDS": "0.5"}


async def start_build(stack: RunningStack) -> str:
    """Starts a build over the CLI and returns its id."""
    command = [sys.executable, "-m", "cofounder_cli", "build", IDEA, "--detach", "--json"]
    answer = json.loads("".join([line async for line in watch.lines(stack, *command)]))
    build_id: str = answer["build"]["buildId"]
    return build_id


async def _kill_each(stack: RunningStack, build_id: str, say: Say) -> None:
    for place, victim in enumerate(VICTIMS, 1):
        reached = await _reach(stack, build_id, place * EVENTS_BETWEEN_KILLS)
        stack.kill(victim)
        killed = time.monotonic()
        await _reach(stack, build_id, reached + 5)
        say(f"{victim}: killed at event {reached}, the log went on after {time.monotonic() - killed:.2f} s")


async def _late_cli(stack: RunningStack, build_id: str) -> Record:
    await _reach(stack, build_id, LATE_AFTER_EVENTS)
    return await watch.by_cli(stack, build_id, name="cli, late")


async def _reach(stack: RunningStack, build_id: str, sequence: int) -> int:
    """Returns the first sequence at or after `sequence` that a watcher is shown, or the last of all."""
    seen = Record("")
    async for reached in watch.progress(stack, build_id, seen):
        if reached >= sequence:
            return reached
    return len(seen.events)


def _report(records: Sequence[Record], count: int, say: Say) -> None:
    for record in records:
        say(f"{record.watcher:<12} {len(record.events)} events, {record.cuts} cuts")
    kinds = [event.WhichOneof("kind") for event in records[0].decoded()]
    say(f"all equal: 1..{count}, {kinds.count('attempt_started')} attempts, last {kinds[-1]}")
