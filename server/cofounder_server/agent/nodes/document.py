"""Asking a model for a document: prose for people and one JSON object, re-asked a bounded number of times (E-7)."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from cofounder.runner.v1.stage_pb2 import Stage
from cofounder_server import errors
from cofounder_server.agent import desk as desks
from cofounder_server.agent import llm, parse
from cofounder_server.agent.provider import Message

RE_ASKS = 2

_Document = TypeVar("_Document", bound=BaseModel)


async def ask(
    desk: desks.Desk,
    *,
    stage: "Stage",
    role: llm.Role,
    messages: Sequence[Message],
    max_tokens: int,
    document: type[_Document],
) -> _Document:
    """Returns the document in the model's answer. Raises `InvalidModelOutput` when no answer could be used."""
    voice = desks.Narrated(desk)
    for _ in range(1 + RE_ASKS):
        turn = await desks.converse(desk, stage=stage, role=role, messages=messages, max_tokens=max_tokens, voice=voice)
        try:
            return parse.parse(turn.text, document)
        except parse.Unusable as fault:
            objection = f"{fault} Answer again with only the fenced JSON block, whole."
            messages = desks.again(messages, turn.text, objection)
    raise errors.InvalidModelOutput(stage=role)
