"""The seam between a build and whoever plays it: `RunnerReal` (agents on a model) or `RunnerFake` (a script)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.builds.model import StageEnd


@dataclass(slots=True)
class Stop:
    """Says whether a person asked for the stop that comes: then they pay for what was written until it."""

    asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf the runner works. Travels beside every call, never inside the data: none is booked to nobody."""

    user_id: str
    # Whose plan and limits it counts against: the project's owner.
    payer_id: str
    project_id: str
    build_id: str
    attempt: int
    # The fence it holds: what it keeps for later is kept under this.
    generation: int
    plan_slug: str
    # The build's hard cap in millionths of a dollar; 0 for none.
    budget_microdollars: int = 0
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """What is to be built."""

    goal: str
    rehearsal: bool = False


class Park(Exception):
    """Raised by a runner whose build cannot go on for now: it is to wait, holding no worker, permit or sandbox.

    Args:
        until: When it goes on by itself; None: when somebody has it do so.
    """

    def __init__(self, until: datetime | None = None) -> None:
        super().__init__(f"parked until {until:%FT%TZ}" if until else "parked")
        self.until = until


class BuildRunner(Protocol):
    """Plays a build.

    Events come with their `kind` alone: the log assigns sequence, time and attempt. Exactly one terminal event
    ends the stream of `run`, unless it raises: a `BuildError` then becomes the terminal event, and anything else is
    ours to answer for; `Park` has it wait. Closing the iterator (`aclose`) or cancelling its task stops the model's
    call and the sandbox's whole tree before it returns.
    """

    def run(self, caller: Caller, order: BuildOrder, after: StageEnd | None = None) -> AsyncGenerator[BuildEvent, None]:
        """Plays the whole pipeline, or what is left of it after a stage that a former attempt finished."""

    def step(self, caller: Caller, order: BuildOrder, stage: Stage) -> AsyncGenerator[BuildEvent, None]:
        """Plays one stage. Raises `InvalidRequest`, naming the valid ones, for anything that is no stage."""


class ResumePoints(Protocol):
    """Where a build can be gone on with; `agent/resume.py` finds it for the agents."""

    async def find(self, build_id: UUID) -> StageEnd | None:
        """Returns the newest usable end of a stage; None if the build must begin anew."""
