"""Calls of models in tests: one call on a scripted wire, and what it told."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import llm
from cofounder_server.agent.patience import Patience
from cofounder_server.agent.provider import Provider
from cofounder_server.agent.rehearsal import wire as sse
from cofounder_server.agent.runner import Caller
from cofounder_server.clock import VirtualClock
from cofounder_server.testing import anthropic_wire as fake
from cofounder_server.testing.anthropic_wire import AnthropicWire
from cofounder_server.testing.meters import OpenMeter

KEY = "sk-ant-secret-of-the-operator"
HALF = ["half ", "of it"]
OVERLOADED = sse.error("overloaded_error", "Overloaded")
CALLER = Caller(
    user_id="u",
    payer_id="u",
    project_id="0193a5c0-0000-7000-8000-0123456789aa",
    build_id="0193a5c0-0000-7000-8000-0123456789ab",
    attempt=1,
    generation=1,
    plan_slug="bootstrapper",
)
SYSTEM: list[Any] = [{"type": "text", "text": "# Coder", "cache_control": {"type": "ephemeral"}}]


class Listener:
    """What one call told: its text, its events by kind, its turn, its end."""

    def __init__(self) -> None:
        self.pieces: list[llm.Piece] = []
        self.error: errors.BuildError | None = None

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if isinstance(piece, llm.Text))

    @property
    def turn(self) -> llm.Turn | None:
        return next((piece for piece in self.pieces if isinstance(piece, llm.Turn)), None)

    @property
    def kinds(self) -> list[str]:
        """The kinds in order, runs of text as one."""
        named = [piece.event.WhichOneof("kind") if isinstance(piece, llm.Notice) else "" for piece in self.pieces]
        named = [name or type(piece).__name__ for name, piece in zip(named, self.pieces, strict=True)]
        return [name for at, name in enumerate(named) if name != "Text" or named[at - 1] != "Text"]

    def events(self, kind: str) -> list[Any]:
        notices = [piece.event for piece in self.pieces if isinstance(piece, llm.Notice)]
        return [getattr(event, kind) for event in notices if event.HasField(kind)]


def models(
    wire: AnthropicWire,
    *,
    clock: VirtualClock | None = None,
    meter: OpenMeter | None = None,
    chosen: Mapping[str, str] | None = None,
    **patience: float,
) -> llm.Models:
    limits = Patience(**{"attempts": 3, **patience})  # type: ignore[arg-type]
    return llm.Models(
        Provider(api_key=KEY, base_url=wire.base_url, patience=limits),
        meter or OpenMeter(),
        patience=limits,
        clock=clock or VirtualClock(),
        models=chosen or {"default": fake.MODEL},
        rng=random.Random(7),
    )


async def ask(door: llm.Models, caller: Caller = CALLER) -> AsyncGenerator[llm.Piece, None]:
    model = await door.create_tracked_llm(caller, "coder")
    pieces = model.generate(
        stage=Stage.STAGE_CODER, system=SYSTEM, messages=[{"role": "user", "content": "write " * 60}], max_tokens=100
    )
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece


async def listen(
    wire: AnthropicWire,
    *,
    clock: VirtualClock | None = None,
    meter: OpenMeter | None = None,
    caller: Caller = CALLER,
    **patience: float,
) -> Listener:
    heard = Listener()
    door = models(wire, clock=clock, meter=meter, chosen=None, **patience)
    try:
        async with asyncio.timeout(60):
            async for piece in ask(door, caller):
                heard.pieces.append(piece)
    except errors.BuildError as error:
        heard.error = error
    finally:
        await door.aclose()
    return heard
