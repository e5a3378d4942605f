"""What the tests of the agents share: a sandbox, and builds played on a cast."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cofounder_server.agent import sandbox
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.testing import agents
from cofounder_server.testing.agents import CALLER, ORDER, Played
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.cast import Cast


@pytest.fixture(scope="module")
def hands() -> Sandbox:
    """The real sandbox where there is one; else the weak one, which tests of ours may use."""
    isolation = asyncio.run(sandbox.probe())
    return sandbox.choose(isolation, rehearsal=True, allow_weak=True, production=False)


@pytest.fixture
def play(hands: Sandbox, tmp_path: Path) -> Callable[..., Awaitable[Played]]:
    async def played(cast: Cast, *, iterations: int = 3, patience: Patience | None = None) -> Played:
        async with (
            AnthropicWire(choose=cast) as wire,
            agents.runner(wire.base_url, tmp_path, hands, iterations=iterations, patience=patience) as runner,
        ):
            return await agents.gather(runner.run(CALLER, ORDER))

    return played
