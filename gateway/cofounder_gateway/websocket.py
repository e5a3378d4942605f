"""The endpoint `/api/socket`: who may open a socket, how many there are, and how all of them leave."""

import asyncio
import random
from collections.abc import Collection

import structlog
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from cofounder_gateway import connection, frames, session

_log = structlog.get_logger(__name__)
_CODECS: dict[str, type[frames.ProtoCodec] | type[frames.JsonCodec]] = {
    frames.PROTO_SUBPROTOCOL: frames.ProtoCodec,
    frames.JSON_SUBPROTOCOL: frames.JsonCodec,
}
# Where the listener leaves a connection's transport for us; see `listener`.
TRANSPORT = "transport"


class Endpoint:
    """The sockets of this gateway."""

    def __init__(self, backend: connection.Backend, origins: Collection[str]) -> None:
        self._backend = backend
        self._config = backend.config
        self._origins = origins
        # In the order they came; those without a hello are the oldest that are not ready.
        self._connections: dict[str, connection.Connection] = {}
        self._draining = False
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def leaving(self) -> int:
        """How many sockets have been told to go and are not gone."""
        return sum(one.leaving for one in self._connections.values())

    @property
    def unsent_bytes(self) -> int:
        """What the transports hold for readers that are slower than their builds."""
        return sum(one.unsent_bytes for one in self._connections.values())

    async def serve(self, websocket: WebSocket) -> None:
        """Serves one socket from its handshake to its end."""
        if (refusal := self._refusal(websocket)) is not None:
            status, error = refusal
            headers = {"retry-after": "1"} if status == 503 else None
            await websocket.send_denial_response(JSONResponse({"error": error}, status, headers=headers))
            return
        name = next(offered for offered in websocket.scope["subprotocols"] if offered in _CODECS)
        await websocket.accept(subprotocol=name)
        transport: asyncio.WriteTransport = websocket.scope["state"][TRANSPORT]
        await self._hold(connection.Connection(websocket, transport, _CODECS[name](), self._backend), transport)

    async def drain(self, seconds: float) -> None:
        """Refuses new sockets and asks all others to resume elsewhere, evenly over `seconds` (C-12)."""
        self._draining = True
        self._emptied.clear()
        leaving = list(self._connections.values())
        random.shuffle(leaving)
        for number, one in enumerate(leaving):
            if number:
                await asyncio.sleep(seconds / len(leaving))
            one.leave(session.draining(retry_delay=random.uniform(0.0, 1.0)))
        if self._connections:
            await self._emptied.wait()

    async def _hold(self, held: connection.Connection, transport: asyncio.WriteTransport) -> None:
        self._connections[held.id] = held
        self._evict()
        if self._draining:
            held.leave(session.draining(retry_delay=1.0))
        try:
            await held.run()
        finally:
            del self._connections[held.id]
            if not self._connections:
                self._emptied.set()
            # What a stuck reader has not taken by now would keep its memory for ever.
            asyncio.get_running_loop().call_later(self._config.goodbye_seconds, transport.abort)

    def _evict(self) -> None:
        # Refusing newcomers instead would let silent sockets keep everybody out.
        silent = [one for one in self._connections.values() if one.session.phase is not session.Phase.READY]
        if len(silent) > self._config.max_unauthenticated:
            silent[0].leave(session.bad_hello("no hello in time, and many wait"))

    def _refusal(self, websocket: WebSocket) -> tuple[int, str] | None:
        origin = websocket.headers.get("origin")
        # Programs send no Origin, and hold no cookie that a page could borrow: their token is all that counts.
        if origin is not None and origin not in self._origins:
            return 403, "This origin may not open a socket; see COFOUNDER_ALLOWED_ORIGINS."
        if not any(offered in _CODECS for offered in websocket.scope["subprotocols"]):
            return 400, f"Offer one of the subprotocols {', '.join(_CODECS)}."
        if self._draining:
            return 503, "Draining; connect again."
        if len(self._connections) >= self._config.max_sockets:
            _log.warning("socket refused", reason="too many", sockets=len(self._connections))
            return 503, "Too many sockets; try again."
        return None
