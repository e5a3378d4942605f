"""A worker: claims builds and plays them, with agents on a model or a script."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import redis
import structlog

from cofounder_server import errors
from cofounder_server.agent import sandbox
from cofounder_server.agent.checkpoints import Checkpoints, Saver, open_saver
from cofounder_server.agent.fake import RunnerFake
from cofounder_server.agent.llm import Models
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.provider import Provider
from cofounder_server.agent.real import RunnerReal
from cofounder_server.agent.resume import Resumes
from cofounder_server.agent.runner import BuildRunner
from cofounder_server.agent.trees import Trees
from cofounder_server.app.ground import Ground, Seams, blob_store, ground, own_secrets, running, until_told_to_stop
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.model import Job
from cofounder_server.clock import Clock
from cofounder_server.settings import Settings
from cofounder_server.usage.meter import Meter
from cofounder_server.usage.prices import PriceTable
from cofounder_server.worker.board import Board
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.leases import Leases
from cofounder_server.worker.loop import Worker
from cofounder_server.worker.prune import Pruner
from cofounder_server.worker.run_build import Desk

# A worker commits on one connection, and begins and ends builds on a few.
CONNECTIONS = 8

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeams(Seams):
    """Those that a worker takes besides."""

    blobs: type[Blobs] = Blobs
    saver: type[Saver] = Saver
    trees: type[Trees] = Trees
    resumes: type[Resumes] = Resumes


async def work(settings: Settings, seams: WorkerSeams | None = None) -> None:
    """Plays builds until SIGTERM or SIGINT, then hands back what is under way."""
    isolation = await sandbox.probe()
    if isolation.kind == "none":
        logger.warning("no sandbox on this machine", reason=isolation.reason)
    seams = seams or WorkerSeams()
    async with contextlib.AsyncExitStack() as stack:
        base = await stack.enter_async_context(ground(settings, seams, connections=CONNECTIONS))
        trees = seams.trees(seams.blobs(blob_store(settings, base.pool), base.clock))
        saver = await stack.enter_async_context(open_saver(settings.database_url.get_secret_value(), seams.saver))
        checkpoints = Checkpoints(saver)
        models = _models(settings, base)
        stack.push_async_callback(models.aclose)
        leases = Leases(
            _blocking_client(settings),
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        agents = Agents(settings, base.clock, models, isolation, trees, checkpoints)
        desk = Desk(
            pool=base.pool,
            transitions=base.transitions,
            resumes=seams.resumes(base.pool, checkpoints, trees),
            builds=base.builds,
            queue=base.queue,
            watches=base.watches,
            commit=await stack.enter_async_context(GroupCommit(base.log, base.publisher, base.clock)),
            runner_of=lambda job: _runner(job, agents),
            secrets=own_secrets(settings),
            leases=await stack.enter_async_context(leases),
        )
        pruner = Pruner(base.pool, checkpoints, seconds=settings.sweep_seconds)
        worker_id = f"{socket.gethostname()}:{os.getpid()}"
        slots = settings.worker_slots
        board = Board(base.pool, base.clock, worker_id=worker_id, slots=slots, seconds=settings.board_seconds)
        worker = Worker(desk, board, worker_id=worker_id, slots=slots)
        with until_told_to_stop() as stop:
            async with running(pruner.run(), name="pruner"), running(worker.run(), name="worker"):
                logger.info("working", slots=slots, sandbox=isolation.kind)
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


def _models(settings: Settings, base: Ground) -> Models:
    patience = _patience(settings)
    meter = Meter(
        base.pool,
        base.ledger,
        PriceTable.load(settings.prices_file),
        base.clock,
        new_id=uuid7,
        reservation_seconds=settings.reservation_seconds,
        global_microdollars=settings.breaker_microdollars,
    )
    key, url = settings.anthropic_api_key.get_secret_value(), settings.anthropic_base_url
    return Models(
        Provider(api_key=key, base_url=url, patience=patience),
        meter,
        patience=patience,
        clock=base.clock,
        models=settings.models,
    )


def _patience(settings: Settings) -> Patience:
    return Patience(
        attempts=settings.model_attempts,
        backoff=settings.model_backoff_seconds,
        longest_wait=settings.model_longest_wait_seconds,
        connect=settings.model_connect_seconds,
        first_byte=settings.model_first_byte_seconds,
        silence=settings.model_silence_seconds,
        total=settings.model_total_seconds,
    )


@dataclass(frozen=True, slots=True)
class Agents:
    """What runners are made of."""

    settings: Settings
    clock: Clock
    models: Models
    isolation: sandbox.Isolation
    trees: Trees
    checkpoints: Checkpoints


def _runner(job: Job, agents: Agents) -> BuildRunner:
    settings, isolation = agents.settings, agents.isolation
    if job.scenario:
        return RunnerFake(job.scenario, clock=agents.clock, pace=settings.rehearsal_pace)
    try:
        chosen = sandbox.choose(
            isolation,
            rehearsal=job.rehearsal,
            allow_weak=settings.allow_weak_sandbox,
            production=settings.production,
        )
    except sandbox.SandboxUnavailable as fault:
        raise errors.SandboxUnavailable(isolation=isolation.kind) from fault
    return RunnerReal(
        models=agents.models,
        sandbox=chosen,
        trees=agents.trees,
        checkpoints=agents.checkpoints,
        data=settings.data,
        clock=agents.clock,
    )
