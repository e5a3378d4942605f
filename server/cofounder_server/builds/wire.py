"""The live wire: committed stretches, published on Redis the moment after. A hint and never the truth.

Channels are sharded by build, so that a cluster spreads them. A message that is lost costs its readers one poll.
"""

import asyncio
import contextlib
import math
import struct
from collections.abc import Callable, Sequence
from uuid import UUID

import redis.asyncio as redis
import structlog
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import RedisError

from cofounder_server import tasks
from cofounder_server.builds.model import Stretch

HEADER = struct.Struct(">qq?")
CONFIRM_SECONDS = 2.0
PUBLISH_SECONDS = 1.0
RECONNECT_SECONDS = 0.2
AGAIN_SECONDS = 0.1

log = structlog.get_logger(__name__)


def channel(build_id: UUID) -> bytes:
    return b"build:{%s}" % str(build_id).encode()


class Publisher:
    """Publishes what was committed."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    async def publish(self, stretches: Sequence[Stretch]) -> None:
        """Publishes stretches. A fault is logged and swallowed: the events are in Postgres, and readers poll. So is a
        Redis that hangs: no log waits for it longer than a second."""
        pipeline = self._client.pipeline(transaction=False)
        for stretch in stretches:
            header = HEADER.pack(stretch.after, stretch.last, stretch.over)
            pipeline.execute_command("SPUBLISH", channel(stretch.build_id), header + stretch.body)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as fault:
            log.warning("live wire down; watchers poll", fault=type(fault).__name__)


class Receiver:
    """Receives stretches of the builds it is subscribed to, over one connection of its own.

    `on_stretch` is called in order of arrival and must not block. After a broken connection it connects and
    subscribes again by itself; what was published in between is not received.
    """

    def __init__(self, client: redis.Redis, on_stretch: Callable[[Stretch], None]) -> None:
        self._pool = client.connection_pool
        self._on_stretch = on_stretch
        # Every build subscribed to, by channel; set once Redis confirmed it on the present connection.
        self._confirmed: dict[bytes, asyncio.Event] = {}
        self._builds: dict[bytes, UUID] = {}
        # None while there is no connection: whoever subscribes then is served by the next one.
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Receiver":
        self._task = asyncio.create_task(self._keep_receiving(), name="live wire")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await tasks.stop(self._task, again=AGAIN_SECONDS)

    async def subscribe(self, build_id: UUID) -> bool:
        """Subscribes to a build; True once Redis confirmed it, False if it did not within two seconds.

        What is published after a confirmation is received. Until then the caller must rely on polling.
        """
        name = channel(build_id)
        self._builds[name] = build_id
        confirmed = self._confirmed.setdefault(name, asyncio.Event())
        await self._send("SSUBSCRIBE", name)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(confirmed.wait(), CONFIRM_SECONDS)
        return confirmed.is_set()

    async def unsubscribe(self, build_id: UUID) -> None:
        """Ends a subscription."""
        name = channel(build_id)
        self._builds.pop(name, None)
        self._confirmed.pop(name, None)
        await self._send("SUNSUBSCRIBE", name)

    async def _send(self, command: str, *channels: bytes) -> None:
        # A fault here is the reading side's to notice: it subscribes to everything anew.
        with contextlib.suppress(RedisError, OSError):
            if self._connection is not None:
                await self._connection.send_command(command, *channels, check_health=False)

    async def _keep_receiving(self) -> None:
        while True:
            try:
                await self._receive()
            except (RedisError, OSError) as fault:
                log.warning("live wire broken; watchers poll", fault=type(fault).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _receive(self) -> None:
        # RESP2: there, messages of subscriptions are ordinary replies, which one reader takes in order.
        connection = self._pool.connection_class(**{**self._pool.connection_kwargs, "protocol": 2})
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            self._connection = connection
            # One command a channel: in a cluster, channels of one command would have to share a slot.
            for name in tuple(self._builds):
                await self._send("SSUBSCRIBE", name)
            while True:
                self._take(await connection.read_response(timeout=math.inf))
        finally:
            self._connection = None
            for confirmed in self._confirmed.values():
                confirmed.clear()
            await connection.disconnect(nowait=True)

    def _take(self, response: Sequence[bytes]) -> None:
        kind, name = response[0], response[1]
        if kind == b"ssubscribe" and name in self._confirmed:
            self._confirmed[name].set()
        elif kind == b"smessage" and name in self._builds:
            payload = response[2]
            after, last, over = HEADER.unpack_from(payload)
            self._on_stretch(Stretch(self._builds[name], after, last, payload[HEADER.size :], over))
