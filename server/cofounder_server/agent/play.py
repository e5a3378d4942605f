"""Plays a graph: its stages' events as they come, and a stage's end once its checkpoint is stored."""

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder_server.agent.desk import Desk
from cofounder_server.agent.graph import Graph
from cofounder_server.agent.nodes import stage
from cofounder_server.agent.state import State


async def play(
    played: Graph, desk: Desk, reached: list[State], given: State | None, *, durability: str | None = None
) -> AsyncGenerator[BuildEvent, None]:
    """Yields the events of a graph's run; `reached` then holds the state it came to. Raises what a stage raised.

    Nothing is `given` where the graph's thread holds the state to go on from. Closing it cancels the stage that runs
    and waits until that has let go of the model and the sandbox.
    """
    stream = played.astream(given, context=desk, stream_mode=["custom", "values"], durability=durability)
    ended: list[BuildEvent] = []
    async with contextlib.aclosing(cast("AsyncGenerator[tuple[str, object], None]", stream)) as parts:
        async for mode, part in parts:
            # The next stage speaks only once the checkpoint of the former is stored: before, its end is not told.
            while ended:
                yield ended.pop()
            if mode == "custom":
                yield cast("BuildEvent", part)
            else:
                ended += _end_of(reached[0], cast("State", part))
                reached[0] = cast("State", part)
    while ended:
        yield ended.pop()


def _end_of(before: State, now: State) -> list[BuildEvent]:
    if now.get("ended") == before.get("ended"):
        return []
    return [BuildEvent(stage_finished=stage.told(now["ended"]))]
