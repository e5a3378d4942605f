"""What server and worker both stand on, opened in order and closed in reverse."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import asyncpg
import redis.asyncio as redis

from cofounder_server import db, tasks
from cofounder_server.blobs.postgres import PostgresStore
from cofounder_server.blobs.store import Store
from cofounder_server.builds.log import Log
from cofounder_server.builds.queue import Queue
from cofounder_server.builds.read import Builds
from cofounder_server.builds.redact import Redactor
from cofounder_server.builds.transitions import Transitions
from cofounder_server.builds.watch import Watches
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import Clock, WallClock
from cofounder_server.ledger.store import Ledger
from cofounder_server.settings import Settings
from cofounder_server.telemetry import logs

# What a worker under way may take to hand its builds back, before it is asked again to stop.
HAND_BACK_SECONDS = 8.0

# How long an answer of Redis may take; longer than any wait for the bell.
REDIS_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """The classes of the durable steps that servers and workers take. Tests arm failpoints by putting subclasses in
    their place (T-5)."""

    log: type[Log] = Log
    ledger: type[Ledger] = Ledger
    publisher: type[Publisher] = Publisher
    queue: type[Queue] = Queue
    transitions: type[Transitions] = Transitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What server and worker both stand on."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    client: redis.Redis
    log: Log
    ledger: Ledger
    publisher: Publisher
    queue: Queue
    transitions: Transitions
    watches: Watches
    builds: Builds


def configure_logs(settings: Settings) -> None:
    """Sends this process's logs to stderr, as JSON, without secrets."""

    def scrub(text: str) -> str:
        redactor = Redactor(own_secrets(settings))
        return redactor.feed("", text) + redactor.flush("")

    logs.configure(level=settings.log_level, scrub=scrub)


def own_secrets(settings: Settings) -> frozenset[str]:
    """Returns the values that may appear nowhere: not in a log, not in an event."""
    urls = [secret.get_secret_value() for secret in (settings.database_url, settings.redis_url)]
    # Also alone: a driver names neither host nor user where it quotes a password.
    passwords = [unquote(urlsplit(url).password or "") for url in urls]
    keys = [secret.get_secret_value() for secret in (settings.anthropic_api_key, settings.blob_secret_access_key)]
    values = [*urls, *passwords, *keys]
    # Shorter ones, such as the word that stands for a key in a rehearsal, are ordinary words.
    return frozenset(value for value in values if len(value) >= 12)


@contextlib.asynccontextmanager
async def ground(settings: Settings, seams: Seams, *, connections: int) -> AsyncIterator[Ground]:
    """Opens what server and worker stand on, and closes it in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await db.open_pool(settings.database_url.get_secret_value(), size=connections)
        # Not `close`, which waits for whoever still holds a connection: by now nobody has a right to.
        stack.callback(pool.terminate)
        # A Redis that hangs is as good as one that is away, and must be told from one that is slow.
        client = redis.Redis.from_url(
            settings.redis_url.get_secret_value(), socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        )
        stack.push_async_callback(client.aclose)
        clock, log, publisher = WallClock(), seams.log(pool), seams.publisher(client)
        watches = Watches(log, client, poll_seconds=settings.poll_seconds)
        yield Ground(
            settings=settings,
            clock=clock,
            pool=pool,
            client=client,
            log=log,
            ledger=seams.ledger(pool),
            publisher=publisher,
            queue=seams.queue(client, lease_seconds=settings.lease_seconds),
            transitions=seams.transitions(pool, log, publisher, clock),
            watches=await stack.enter_async_context(watches),
            builds=Builds(pool, repositories=None if settings.production else settings.data / "repositories"),
        )


def blob_store(settings: Settings, pool: asyncpg.Pool) -> Store:
    """Returns the store that the settings name: a bucket, or else Postgres."""
    if not settings.blob_bucket:
        return PostgresStore(pool)
    # Here, so that only who has a bucket needs its client.
    from cofounder_server.blobs.s3 import S3Store

    return S3Store(
        bucket=settings.blob_bucket,
        prefix=settings.blob_prefix,
        endpoint=settings.blob_endpoint,
        region=settings.blob_region,
        access_key_id=settings.blob_access_key_id,
        secret_access_key=settings.blob_secret_access_key.get_secret_value(),
        timeout=settings.blob_timeout_seconds,
    )


@contextlib.contextmanager
def until_told_to_stop() -> Iterator[asyncio.Event]:
    """Gives an event that SIGTERM and SIGINT set."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def running(work: Coroutine[None, None, None], *, name: str) -> AsyncIterator[None]:
    """Runs `work` beside the block. If it dies, so does the process: it must not limp on.

    Raises what the block or `work` raised, as itself: callers know it by its type.
    """
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name=name)
            yield
            await tasks.stop(task, again=HAND_BACK_SECONDS)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
