"""A worker's agents: all that plays builds. Apart, because it takes seconds to import; see `worker.Late`."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

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
from cofounder_server.app.ground import Ground, blob_store, running
from cofounder_server.blobs.blobs import Blobs
from cofounder_server.builds.ids import uuid7
from cofounder_server.builds.model import Job, StageEnd
from cofounder_server.clock import Clock
from cofounder_server.settings import Settings
from cofounder_server.usage.meter import Meter
from cofounder_server.usage.prices import PriceTable
from cofounder_server.worker.prune import Pruner

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """The classes of the agents' durable steps; as `Seams`."""

    blobs: type[Blobs] = Blobs
    saver: type[Saver] = Saver
    trees: type[Trees] = Trees
    resumes: type[Resumes] = Resumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """What plays builds, and knows where they can be gone on with."""

    settings: Settings
    clock: Clock
    models: Models
    isolation: sandbox.Isolation
    trees: Trees
    checkpoints: Checkpoints
    resumes: Resumes

    async def find(self, build_id: UUID) -> StageEnd | None:
        """See `ResumePoints`."""
        return await self.resumes.find(build_id)

    def runner_of(self, job: Job) -> BuildRunner:
        """Returns who plays a build. Raises SandboxUnavailable."""
        if job.scenario:
            return RunnerFake(job.scenario, clock=self.clock, pace=self.settings.rehearsal_pace)
        return RunnerReal(
            models=self.models,
            sandbox=self._sandbox(job),
            trees=self.trees,
            checkpoints=self.checkpoints,
            data=self.settings.data,
            clock=self.clock,
        )

    def _sandbox(self, job: Job) -> sandbox.Sandbox:
        try:
            return sandbox.choose(
                self.isolation,
                rehearsal=job.rehearsal,
                allow_weak=self.settings.allow_weak_sandbox,
                production=self.settings.production,
            )
        except sandbox.SandboxUnavailable as fault:
            raise errors.SandboxUnavailable(isolation=self.isolation.kind) from fault


@contextlib.asynccontextmanager
async def at_work(settings: Settings, base: Ground, hands: Hands) -> AsyncIterator[Agents]:
    """Gives agents that are ready to play, and prunes what they leave behind."""
    isolation = await sandbox.probe()
    if isolation.kind == "none":
        logger.warning("no sandbox on this machine", reason=isolation.reason)
    async with contextlib.AsyncExitStack() as stack:
        trees = hands.trees(hands.blobs(blob_store(settings, base.pool), base.clock))
        saver = await stack.enter_async_context(open_saver(settings.database_url.get_secret_value(), hands.saver))
        checkpoints = Checkpoints(saver)
        models = _models(settings, base)
        stack.push_async_callback(models.aclose)
        pruner = Pruner(base.pool, checkpoints, seconds=settings.sweep_seconds)
        await stack.enter_async_context(running(pruner.run(), name="pruner"))
        logger.info("agents are ready", sandbox=isolation.kind)
        yield Agents(
            settings=settings,
            clock=base.clock,
            models=models,
            isolation=isolation,
            trees=trees,
            checkpoints=checkpoints,
            resumes=hands.resumes(base.pool, checkpoints, trees),
        )


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
