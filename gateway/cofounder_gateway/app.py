"""The composition root: builds the gateway from its settings, runs it, and takes it down in order."""

import asyncio
import signal
import sys
from collections.abc import Mapping

import structlog

from cofounder_gateway import connection, http, hub, listener, logs, methods, settings, upstream, websocket

_log = structlog.get_logger(__name__)
_READY_SECONDS = 1.0
# The server will not have us, and asking again does not change it.
_REFUSALS = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})


class Gateway:
    """A running gateway. Make it by `start`; `stop` may be called any number of times."""

    def __init__(self, config: settings.Settings) -> None:
        self._config = config
        self._socket = listener.bind(config.host, config.port)
        self.port: int = self._socket.getsockname()[1]
        origins = config.origins(self.port)
        allowed = methods.allowed()
        self.server = upstream.Upstream(config, allowed)
        self.hub = hub.Hub(self.server, config)
        self.endpoint = websocket.Endpoint(connection.Backend(self.server, self.hub, config, allowed), origins)
        app = http.application(
            config=config, server=self.server, endpoint=self.endpoint, origins=origins, health=self.health
        )
        self._listener = listener.server(app, config)
        self._stopping = False
        self._stopped: asyncio.Task[None] | None = None

    @classmethod
    def start(cls, config: settings.Settings) -> "Gateway":
        """Binds the port and starts to serve it. Raises OSError if the port is taken."""
        gateway = cls(config)
        gateway._hub_task = asyncio.create_task(gateway.hub.run(), name="hub")
        gateway._listener_task = asyncio.create_task(gateway._listener.serve([gateway._socket]), name="listener")
        return gateway

    _hub_task: "asyncio.Task[None]"
    _listener_task: "asyncio.Task[None]"

    async def health(self) -> tuple[bool, Mapping[str, str]]:
        """Tells whether users should be sent here."""
        reached = await self.server.ready(timeout=_READY_SECONDS)
        trouble = self.hub.relay.trouble
        says = {"server": "connected" if reached else "unreachable", "relay": trouble or "well"}
        return reached and not self._stopping and trouble not in _REFUSALS, says

    async def ended(self) -> None:
        """Returns, or raises, when a part of the gateway ends by itself: then it should be stopped."""
        done, _ = await asyncio.wait((self._hub_task, self._listener_task), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Takes the gateway down.

        1. Health says not ready, and new sockets are refused.
        2. Every socket is told to resume elsewhere and closed with 1012, spread over the drain window.
        3. The port is closed, and requests under way end or are cut.
        4. The relay and the reads end.
        5. The channel to the server is closed.
        """
        if self._stopped is None:
            self._stopped = asyncio.create_task(self._stop(), name="stop")
        await asyncio.shield(self._stopped)

    async def _stop(self) -> None:
        self._stopping = True
        window = self._config.drain_seconds
        _log.info("gateway drains", sockets=len(self.endpoint), seconds=window)
        try:
            async with asyncio.timeout(window + 2 * self._config.goodbye_seconds):
                await self.endpoint.drain(window)
        except TimeoutError:
            _log.warning("gateway cuts sockets", sockets=len(self.endpoint))
        self._listener.should_exit = True
        self._hub_task.cancel()
        await asyncio.gather(self._listener_task, self._hub_task, return_exceptions=True)
        await self.server.close()
        _log.info("gateway stopped")


async def serve(config: settings.Settings) -> int:
    """Runs a gateway until SIGTERM or SIGINT and returns the exit code."""
    logs.configure(level=config.log_level)
    loop = asyncio.get_running_loop()
    try:
        gateway = Gateway.start(config)
    except OSError as error:
        print(f"Cannot listen on {config.host}:{config.port} ({error.strerror}). Set PORT to another.", file=sys.stderr)
        return 1
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    _log.info("gateway serves", host=config.host, port=gateway.port, server=config.server)
    return await _run(gateway, told)


async def _run(gateway: Gateway, told: asyncio.Event) -> int:
    waits = (asyncio.create_task(told.wait()), asyncio.create_task(gateway.ended()))
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    failed = not told.is_set()
    if failed and waits[1].done() and (error := waits[1].exception()) is not None:
        _log.error("gateway failed", exc_info=error)
    for wait in waits:
        wait.cancel()
    await gateway.stop()
    return 1 if failed else 0
