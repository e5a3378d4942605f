"""A worker: claims builds and plays them, with agents on a model or a script."""

import asyncio
import contextlib
import importlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

import redis
import structlog

from cofounder_server.agent.runner import BuildRunner
from cofounder_server.app.ground import Ground, Seams, ground, own_secrets, running, until_told_to_stop
from cofounder_server.builds.model import Job, StageEnd
from cofounder_server.settings import Settings
from cofounder_server.worker.board import Board
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.leases import Leases
from cofounder_server.worker.loop import Worker
from cofounder_server.worker.run_build import Desk

if TYPE_CHECKING:
    from cofounder_server.app.agents import Agents, Hands

# A worker commits on one connection, and begins and ends builds on a few.
CONNECTIONS = 8

logger = structlog.get_logger(__name__)


class Late:
    """The agents of a worker that is at work already: importing them takes seconds, for which nobody need wait who has
    no build to be played."""

    def __init__(self, settings: Settings, base: Ground, hands: "Hands | None") -> None:
        self._settings = settings
        self._base = base
        self._hands = hands
        self._agents: asyncio.Future[Agents] = asyncio.get_running_loop().create_future()

    async def run(self) -> NoReturn:
        """Imports the agents, has them ready, and ends when it is cancelled."""
        module = await asyncio.to_thread(importlib.import_module, "cofounder_server.app.agents")
        async with module.at_work(self._settings, self._base, self._hands or module.Hands()) as agents:
            self._agents.set_result(agents)
            await asyncio.Event().wait()
        raise AssertionError("waiting for nothing came to an end")

    async def find(self, build_id: UUID) -> StageEnd | None:
        """See `ResumePoints`. Waits for the agents."""
        agents = await asyncio.shield(self._agents)
        return await agents.find(build_id)

    def runner_of(self, job: Job) -> BuildRunner:
        """Returns who plays a build for which `find` was asked."""
        return self._agents.result().runner_of(job)


async def work(settings: Settings, seams: Seams | None = None, hands: "Hands | None" = None) -> None:
    """Plays builds until SIGTERM or SIGINT, then hands back what is under way."""
    async with contextlib.AsyncExitStack() as stack:
        base = await stack.enter_async_context(ground(settings, seams or Seams(), connections=CONNECTIONS))
        leases = Leases(
            _blocking_client(settings),
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        agents = Late(settings, base, hands)
        desk = Desk(
            pool=base.pool,
            transitions=base.transitions,
            resumes=agents,
            builds=base.builds,
            queue=base.queue,
            watches=base.watches,
            commit=await stack.enter_async_context(GroupCommit(base.log, base.publisher, base.clock)),
            runner_of=agents.runner_of,
            secrets=own_secrets(settings),
            leases=await stack.enter_async_context(leases),
        )
        worker_id = f"{socket.gethostname()}:{os.getpid()}"
        slots = settings.worker_slots
        board = Board(base.pool, base.clock, worker_id=worker_id, slots=slots, seconds=settings.board_seconds)
        worker = Worker(desk, board, worker_id=worker_id, slots=slots)
        with until_told_to_stop() as stop:
            async with running(agents.run(), name="agents"), running(worker.run(), name="worker"):
                logger.info("working", slots=slots)
                _say_ready(settings.ready_fifo)
                await stop.wait()
                logger.info("draining")


def _blocking_client(settings: Settings) -> redis.Redis:
    """Returns a client for the thread that renews leases; it gives up on an answer before the next heartbeat is due."""
    patience = settings.heartbeat_seconds / 2
    url = settings.redis_url.get_secret_value()
    return redis.Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=patience)


def _say_ready(fifo: Path | None) -> None:
    """Tells whoever started this worker, if they wait for it."""
    if fifo is None:
        return
    try:
        descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as fault:
        logger.warning("nobody hears that this worker is ready", fault=fault.strerror)
        return
    with os.fdopen(descriptor, "w") as pipe:
        pipe.write("ready\n")
