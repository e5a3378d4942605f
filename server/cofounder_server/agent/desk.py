"""What the agents of one build work with, and how they speak: everything that is not state."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import TextDelta
from cofounder.runner.v1.event_control_pb2 import WarningRaised
from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server.agent import llm, stream
from cofounder_server.agent.provider import Block, Message
from cofounder_server.agent.repository import Repository
from cofounder_server.agent.runner import Caller
from cofounder_server.agent.sandbox_seam import Sandbox
from cofounder_server.agent.trees import Trees
from cofounder_server.agent.workspace import Workspace
from cofounder_server.builds import text as texts
from cofounder_server.clock import Clock

# No event comes near the log's limit of 256 KiB (C-9).
MOST_EVENT_TEXT = 64 * 1024


@dataclass(slots=True)
class Desk:
    """The tools of one build. Nothing here outlives the attempt, and nothing here is state.

    `write` takes the events; whoever plays a stage sets it before.
    """

    caller: Caller
    models: llm.Models
    sandbox: Sandbox
    workspace: Workspace
    repository: Repository
    trees: Trees
    exported: Path
    clock: Clock
    write: Callable[[BuildEvent], None]

    def emit(self, **kind: Any) -> None:
        """Sends one event to the log."""
        self.write(BuildEvent(**kind))

    def warn(self, code: str, text: str) -> None:
        """Tells of something amiss that does not end the build."""
        self.emit(warning_raised=WarningRaised(code=code, text=texts.clean(text)[:1000]))


class Voice(Protocol):
    """Makes events of what a model writes."""

    def hear(self, generation_id: str, text: str) -> None:
        """Takes the next piece of the text."""

    def void(self) -> None:
        """The text so far does not count: another attempt begins."""

    def end(self) -> None:
        """The text is whole."""


class Plain:
    """Shows everything as text."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def hear(self, generation_id: str, text: str) -> None:
        say(self._desk, generation_id, text)

    def void(self) -> None:
        """Nothing is held back, so there is nothing to drop."""

    def end(self) -> None:
        """Nothing is held back, so there is nothing to show."""


class Narrated:
    """Shows the prose and keeps the fenced JSON back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._narration = stream.Narration()
        self._generation = ""

    def hear(self, generation_id: str, text: str) -> None:
        self._generation = generation_id
        say(self._desk, generation_id, self._narration.feed(text))

    def void(self) -> None:
        self._narration = stream.Narration()

    def end(self) -> None:
        say(self._desk, self._generation, self._narration.close())
        self._narration = stream.Narration()


def say(desk: Desk, generation_id: str, text: str) -> None:
    """Shows text of the model, in events of a bounded size."""
    for part in texts.cut(text, MOST_EVENT_TEXT):
        desk.emit(text_delta=TextDelta(generation_id=generation_id, text=part))


async def converse(
    desk: Desk,
    *,
    stage: "Stage",
    role: llm.Role,
    messages: Sequence[Message],
    max_tokens: int,
    voice: Voice,
) -> llm.Turn:
    """Asks the model, passes on what it says while it says it, and returns the whole answer."""
    model = await desk.models.create_tracked_llm(desk.caller, role)
    pieces = model.generate(stage=stage, system=prompt(role), messages=messages, max_tokens=max_tokens)
    turn: llm.Turn | None = None
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            match piece:
                case llm.Text():
                    voice.hear(piece.generation_id, piece.text)
                case llm.Notice():
                    desk.write(piece.event)
                    if piece.event.HasField("generation_voided"):
                        voice.void()
                case llm.Turn():
                    turn = piece
                    voice.end()
    if turn is None:
        raise RuntimeError("the model's stream ended without a turn or an error; `generate` promises one of them")
    return turn


def prompt(role: llm.Role) -> list[Block]:
    """Returns the system prompt of a role. Its first line is a comment with the version, which is not sent."""
    written = (resources.files("cofounder_server.agent") / "prompts" / f"{role}.md").read_text("utf-8")
    text = written.partition("\n")[2].strip()
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def asked(stable: str, changing: str = "") -> Message:
    """Returns a user's message whose stable part comes first and is marked for the provider's cache."""
    content: list[Block] = [{"type": "text", "text": stable, "cache_control": {"type": "ephemeral"}}]
    if changing:
        content.append({"type": "text", "text": changing})
    return {"role": "user", "content": content}


def again(messages: Sequence[Message], answer: str, objection: str) -> list[Message]:
    """Returns the conversation with an answer that could not be used, and why it could not."""
    # The API takes no empty text.
    said: Message = {"role": "assistant", "content": answer.strip() or "(nothing)"}
    return [*messages, said, {"role": "user", "content": objection}]
