"""The Messages API on a real socket, scripted byte by byte: every answer, and every way in which one can break."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from cofounder_server.agent.rehearsal import wire
from cofounder_server.usage.prices import Tokens

MODEL = "claude-sonnet-5-5"
TOKENS = Tokens(input=25, output=7, cache_read=1000, cache_write_5m=400, cache_write_1h=100)


@dataclass(slots=True)
class Call:
    """One request as it arrived. `closed` is set when the client has let go of the connection."""

    headers: Mapping[str, str]
    body: dict[str, Any]
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def system(self) -> str:
        return "\n".join(block["text"] for block in self.body["system"])

    @property
    def messages(self) -> str:
        """All text of the conversation."""
        contents = [turn["content"] for turn in self.body["messages"]]
        return "\n".join(
            content if isinstance(content, str) else "\n".join(block["text"] for block in content)
            for content in contents
        )


Answer = Callable[[Call, asyncio.StreamWriter], Awaitable[None]]
Chooser = Callable[[Call], Answer]


class AnthropicWire:
    """Serves scripted answers, in turn; the last one again for every further request.

    Use as `async with AnthropicWire(answer, …) as wire`, and give `wire.base_url` to the client. Instead of answers, a
    function may choose one for each call.
    """

    def __init__(self, *answers: Answer, choose: Chooser | None = None) -> None:
        self.calls: list[Call] = []
        self._answers = list(answers)
        self._choose = choose or self._next
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    @property
    def base_url(self) -> str:
        assert self._server is not None, "enter the wire first"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def called(self, times: int, *, deadline: float = 20.0) -> Call:
        """Waits until so many requests have arrived, and returns the last of them."""
        async with asyncio.timeout(deadline), self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= times)
        return self.calls[times - 1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for call in self.calls:
            call.closed.set()

    def _next(self, call: Call) -> Answer:
        del call
        return self._answers[min(len(self.calls), len(self._answers)) - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            call = await _read(reader)
            async with self._changed:
                self.calls.append(call)
                self._changed.notify_all()
            leaving = asyncio.create_task(_watch(reader, call))
            try:
                await self._choose(call)(call, writer)
            finally:
                leaving.cancel()
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(headers, json.loads(body))


async def _watch(reader: asyncio.StreamReader, call: Call) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(4096):
            """A client sends nothing more; the end of the stream is what is waited for."""
    call.closed.set()


def say(
    text: str | Sequence[str], *, tokens: Tokens = TOKENS, stop_reason: str = "end_turn", model: str | None = None
) -> Answer:
    """Answers with text, in the pieces given."""
    pieces = [text] if isinstance(text, str) else list(text)

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        said = wire.message(pieces, tokens=tokens, model=model or call.body["model"], stop_reason=stop_reason)
        await events(*said)(call, writer)

    return answer


def events(*frames: bytes, ends: bool = True, headers: Mapping[str, str] | None = None) -> Answer:
    """Answers with any bytes as a stream. Without `ends` the connection drops before the stream is whole."""

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        del call
        _begin(writer, headers)
        for frame in frames:
            _chunk(writer, frame)
            await writer.drain()
        if ends:
            _chunk(writer, b"")
        await writer.drain()

    return answer


def broken(pieces: Iterable[str], *after: bytes, tokens: Tokens = TOKENS, ends: bool = True) -> Answer:
    """Begins an answer, writes the pieces, then the bytes given, and no proper end."""
    return events(*_beginning(pieces, tokens), *after, ends=ends)


def stalled(pieces: Iterable[str] = (), *, pings: float | None = None) -> Answer:
    """Begins an answer, and then says nothing until the client leaves; or only pings, every so many seconds."""

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        _begin(writer, None)
        for frame in _beginning(pieces, TOKENS):
            _chunk(writer, frame)
        await writer.drain()
        while not call.closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(call.closed.wait(), pings)
            if not call.closed.is_set():
                _chunk(writer, wire.ping())
                await writer.drain()

    return answer


def silent() -> Answer:
    """Takes the request and never answers."""

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        del writer
        await call.closed.wait()

    return answer


def status(code: int, kind: str = "", *, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None) -> Answer:
    """Answers with an error before any stream, as the provider words it, or with any body."""
    refusal = json.dumps(wire.refusal_body(kind, f"a secret detail of {kind}", request_id="req_refused")).encode()

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        del call
        content = refusal if body is None else body
        content_type = "application/json" if body is None else "text/html"
        lines = [f"HTTP/1.1 {code} Scripted", f"content-type: {content_type}", f"content-length: {len(content)}"]
        lines += ["request-id: req_refused", "connection: close", *(f"{name}: {value}" for name, value in headers)]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()

    return answer


def reset() -> Answer:
    """Takes the request and resets the connection."""

    async def answer(call: Call, writer: asyncio.StreamWriter) -> None:
        del call
        writer.transport.abort()

    return answer


def _beginning(pieces: Iterable[str], tokens: Tokens) -> list[bytes]:
    started = wire.start(message_id="msg_scripted", model=MODEL, tokens=tokens)
    # The block stays open: its end is what the answer breaks off before.
    return [started, *list(wire.text_block(list(pieces)))[:-1]]


def _begin(writer: asyncio.StreamWriter, headers: Mapping[str, str] | None) -> None:
    told = {
        "content-type": "text/event-stream; charset=utf-8",
        "request-id": "req_scripted",
        "transfer-encoding": "chunked",
        "connection": "close",
        **(headers or {}),
    }
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    writer.write("\r\n".join(lines).encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
