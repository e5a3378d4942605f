"""The scripted model as a server on loopback: the real SDK talks to it as to the provider."""

import asyncio
import hashlib
import json
import math
import re
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cofounder_server.agent.rehearsal import script, wire
from cofounder_server.usage.prices import Tokens

HOST = "127.0.0.1"

_CHARACTERS_PER_TOKEN = 4
_MOST_BODY = 8 * 1024 * 1024
# A few characters at a time, cut before blanks, much as tokens are.
_PIECE = re.compile(r"\s*\S{1,3}\s\S{1,8}|\s*\S{1,16}|\s+")
_UNKNOWN = "This is a rehearsal: the words are scripted, and this request is not in the script."

_log = structlog.get_logger(__name__)


def app(*, pace: float) -> Starlette:
    """Returns the scripted model. `pace`: seconds between two pieces of text; 0 as fast as it goes."""

    async def messages(request: Request) -> Response:
        return await _answer(request, pace)

    return Starlette(routes=[Route("/v1/messages", messages, methods=["POST"])])


async def serve(port: int, pace: float) -> None:
    """Serves on 127.0.0.1 until cancelled or signalled. `port` 0 takes a free one and the log line names it."""
    listener = socket.create_server((HOST, port))
    _log.info("rehearsal_model_listening", port=listener.getsockname()[1])
    await listen(listener, pace)


async def listen(listener: socket.socket, pace: float) -> None:
    """Serves on a socket that listens already, and closes it at the end."""
    config = uvicorn.Config(
        app(pace=pace), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    with listener:
        await uvicorn.Server(config).serve(sockets=[listener])


async def _answer(request: Request, pace: float) -> Response:
    body = await request.body()
    request_id = f"req_{hashlib.sha256(body).hexdigest()[:24]}"
    try:
        asked: dict[str, Any] = json.loads(body if len(body) <= _MOST_BODY else b"{}")
        system, messages = _text(asked["system"]), "\n".join(_text(turn["content"]) for turn in asked["messages"])
        model = str(asked["model"])
    except (ValueError, KeyError, TypeError):
        return _refuse(400, "invalid_request_error", "the body is no request of the Messages API", request_id)
    if "authorization" not in request.headers and "x-api-key" not in request.headers:
        return _refuse(401, "authentication_error", "the request carries no key; any will do here", request_id)
    if asked.get("stream") is not True:
        return _refuse(400, "invalid_request_error", "the scripted model only streams", request_id)
    stage = script.stage_of(system, messages)
    words = script.words(stage) if stage else _UNKNOWN
    tokens = _tokens(asked, words, first=stage != "coder_repair")
    events = _stream(words, tokens=tokens, model=model, message_id=f"msg_{request_id[4:]}", pace=pace)
    headers = {"request-id": request_id, "cache-control": "no-cache"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def _stream(words: str, *, tokens: Tokens, model: str, message_id: str, pace: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    due = loop.time()
    for event in wire.message(_PIECE.findall(words), tokens=tokens, model=model, message_id=message_id):
        yield event
        # By appointment, so that the time of the sending itself does not add up. Also at no pace the loop must turn, or
        # a reader that left is never noticed.
        due += pace if b'"text_delta"' in event else 0.0
        await asyncio.sleep(max(0.0, due - loop.time()))


def _tokens(asked: dict[str, Any], words: str, *, first: bool) -> Tokens:
    """Counts much as a provider would. What a call before this one has cached is read, not written."""
    cached = sum(len(text) for text, marked in _blocks(asked) if marked)
    rest = sum(len(text) for text, marked in _blocks(asked) if not marked)
    prefix = math.ceil(cached / _CHARACTERS_PER_TOKEN)
    return Tokens(
        input=max(1, math.ceil(rest / _CHARACTERS_PER_TOKEN)),
        output=math.ceil(len(words) / _CHARACTERS_PER_TOKEN),
        cache_write_5m=prefix if first else 0,
        cache_read=0 if first else prefix,
    )


def _blocks(asked: dict[str, Any]) -> list[tuple[str, bool]]:
    contents = [asked["system"], *(turn["content"] for turn in asked["messages"])]
    blocks: list[dict[str, Any]] = []
    for content in contents:
        blocks += [{"text": content}] if isinstance(content, str) else content
    return [(str(block.get("text", "")), "cache_control" in block) for block in blocks]


def _text(content: str | Sequence[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content)


def _refuse(status: int, kind: str, message: str, request_id: str) -> Response:
    body = dict(wire.refusal_body(kind, message, request_id=request_id))
    return JSONResponse(body, status, headers={"request-id": request_id})
