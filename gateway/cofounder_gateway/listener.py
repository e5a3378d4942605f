"""The port: uvicorn with bounds that it does not set by itself, and no signal handlers of its own."""

import asyncio
import contextlib
import math
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from cofounder_gateway import settings
from cofounder_gateway.websocket import TRANSPORT


class Server(uvicorn.Server):
    """Stops by `should_exit` only: signals are the composition root's, which drains first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Binds the port before anything is started, so that a taken one costs nothing. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def server(app: Any, config: settings.Settings) -> Server:
    return Server(
        uvicorn.Config(
            app,
            http=_http(config.hello_deadline_seconds),
            ws=_websocket(config.send_buffer_bytes),
            ws_max_size=config.max_frame_bytes,
            # Off, so that a frame is as large as it looks (C-9).
            ws_per_message_deflate=False,
            ws_ping_interval=config.ping_seconds,
            ws_ping_timeout=config.ping_seconds,
            lifespan="off",
            # Uvicorn's own lines at INFO hold query strings.
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(config.goodbye_seconds),
        )
    )


def _http(deadline: float) -> type[asyncio.Protocol]:
    class DeadlineProtocol(H11Protocol):
        """Cuts a connection whose request head does not come whole in time (D-6)."""

        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            served = self.cycle is not None and not self.cycle.response_complete
            # After an upgrade the connection is the websocket's, which has deadlines of its own.
            if served or self.transport.get_protocol() is not self:
                self._disarm()
            elif self._head is None:
                self._head = self.loop.call_later(deadline, self.transport.abort)

        def _disarm(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

    return DeadlineProtocol


def _websocket(send_buffer_bytes: int) -> type[asyncio.Protocol]:
    class BoundedProtocol(WebSocketsSansIOProtocol):
        """Bounds what the kernel holds for a slow reader, and lets the endpoint see what is unsent."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if (connected := transport.get_extra_info("socket")) is not None:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
            self.app_state = {**self.app_state, TRANSPORT: transport}

    return BoundedProtocol
