"""Builds played in tests: a runner on a scripted model, and what it told."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import llm
from cofounder_server.agent.checkpoints import Checkpoints
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.provider import Provider
from cofounder_server.agent.real import RunnerReal
from cofounder_server.agent.rehearsal import server
from cofounder_server.agent.runner import BuildOrder, Caller
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.agent.trees import Trees
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.clock import VirtualClock, WallClock
from cofounder_server.testing.meters import OpenMeter
from cofounder_server.usage.meter import Metering

CALLER = Caller(
    user_id="user_1",
    payer_id="user_1",
    project_id="0193a5c0-0000-7000-8000-0123456789aa",
    build_id="0193a5c0-0000-7000-8000-0123456789ab",
    attempt=1,
    generation=1,
    plan_slug="bootstrapper",
)


class MemoryStore:
    """A store of blobs in memory. See `Store`."""

    def __init__(self) -> None:
        self.bodies: dict[bytes, bytes] = {}

    async def write(self, bodies: Mapping[bytes, bytes]) -> None:
        self.bodies |= bodies

    async def read(self, addresses: Collection[bytes]) -> Mapping[bytes, bytes]:
        return {address: self.bodies[address] for address in addresses if address in self.bodies}

    async def find(self, addresses: Collection[bytes]) -> frozenset[bytes]:
        return frozenset(address for address in addresses if address in self.bodies)


ORDER = BuildOrder(goal="A URL shortener with tests", rehearsal=True)
TERMINAL = ("build_succeeded", "build_partial", "build_failed", "build_cancelled")


@dataclass(slots=True)
class Played:
    """The events of one run, and the error that ended it, if one did."""

    events: list[BuildEvent] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def kinds(self) -> list[str]:
        return [event.WhichOneof("kind") or "" for event in self.events]

    def of(self, kind: str) -> list[Any]:
        """Returns the events of one kind, in order."""
        return [getattr(event, kind) for event in self.events if event.HasField(kind)]

    @property
    def stages(self) -> list[str]:
        """The stages that began, by name, in order."""
        return [Stage.Name(event.stage).removeprefix("STAGE_").lower() for event in self.of("stage_started")]

    @property
    def warnings(self) -> list[str]:
        """The codes of the warnings; without the one that says that this machine has no real sandbox."""
        return [warning.code for warning in self.of("warning_raised") if warning.code != "weak_sandbox"]

    def text(self) -> str:
        return "".join(delta.text for delta in self.of("text_delta"))


async def gather(stream: AsyncIterator[BuildEvent]) -> Played:
    """Plays to the end."""
    played = Played()
    try:
        async for event in stream:
            played.events.append(event)
    except Exception as error:
        played.error = error
    return played


@contextlib.asynccontextmanager
async def runner(
    base_url: str,
    data: Path,
    sandbox: Sandbox,
    *,
    patience: Patience | None = None,
    iterations: int = 6,
    keep: bool = False,
    blobs: Blobs | None = None,
    saver: BaseCheckpointSaver[str] | None = None,
    meter: Metering | None = None,
) -> AsyncGenerator[RunnerReal, None]:
    """A real runner whose waits between attempts take no time. What it keeps it keeps in memory, if not told where."""
    patience = patience or Patience(attempts=3)
    models = llm.Models(
        Provider(api_key="sk-test", base_url=base_url, patience=patience),
        meter or OpenMeter(),
        patience=patience,
        clock=VirtualClock(),
        rng=random.Random(7),
    )
    try:
        yield RunnerReal(
            models=models,
            sandbox=sandbox,
            trees=Trees(blobs or Blobs(MemoryStore(), WallClock())),
            checkpoints=Checkpoints(saver or InMemorySaver()),
            data=data,
            clock=WallClock(),
            iterations=iterations,
            keep=keep,
        )
    finally:
        await models.aclose()


@contextlib.asynccontextmanager
async def rehearsal(*, pace: float = 0.0) -> AsyncGenerator[str, None]:
    """The scripted model on a free port; yields its address."""
    listener = socket.create_server((server.HOST, 0))
    port = listener.getsockname()[1]
    serving = asyncio.create_task(server.listen(listener, pace))
    try:
        yield f"http://{server.HOST}:{port}"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
