"""Checkpoints: the pipeline's state after each stage, in Postgres, by LangGraph's own saver.

The log is the truth. A checkpoint is stored before the end of its stage is told, and counts only if that end stands in
the log: it is found by the attempt, stage, iteration and tree hash of the `StageFinished`, never by being the newest.
Each attempt writes a thread of its own, named by build and generation, so one that lost its lease harms nobody.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeVar, cast

import psycopg
import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from cofounder_server.agent.runner import Caller
from cofounder_server.agent.state import State
from cofounder_server.builds.model import StageEnd

AWAY_SECONDS = 0.5  # between two tries while Postgres is away

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


class CheckpointRefused(ValueError):
    """A stored value is not plain data, and nothing is made of it (B-14)."""


class PlainData(JsonPlusSerializer):
    """Reads strings, numbers, lists and maps, and refuses everything that would construct an object."""

    def __init__(self) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=None, __unpack_ext_hook__=_refuse)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        if data[0] not in ("null", "msgpack"):
            raise CheckpointRefused(f"a checkpoint holds a value of the kind {data[0][:20]!r}")
        try:
            return super().loads_typed(data)
        except ValueError as fault:
            raise CheckpointRefused("a checkpoint holds an object, or is no msgpack") from fault


class Saver(AsyncPostgresSaver):
    """LangGraph's saver, which notes at each checkpoint which end of a stage it is of, and outlasts Postgres.

    Saving waits while Postgres is away, until it is cancelled.
    """

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if ended := checkpoint["channel_values"].get("ended"):
            build_id = config["configurable"]["thread_id"].partition(":")[0]
            key = _key(build_id, ended["attempt"], ended["stage"], ended["iteration"], ended["tree"])
            metadata = cast("CheckpointMetadata", {**metadata, "ended": key})
        put = super().aput
        return await _patiently(lambda: put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        put = super().aput_writes
        await _patiently(lambda: put(config, writes, task_id, task_path))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        get = super().aget_tuple
        return await _patiently(lambda: get(config))


class Checkpoints:
    """The checkpoints of all builds."""

    def __init__(self, saver: BaseCheckpointSaver[str]) -> None:
        self.saver = saver

    def thread(self, caller: Caller) -> RunnableConfig:
        """Names the thread of one attempt, for the graph."""
        return {"configurable": {"thread_id": f"{caller.build_id}:{caller.generation}"}}

    async def state_after(self, end: StageEnd) -> State | None:
        """Returns the state after the stage that ended so in the log; None if it is not stored, or not plain data."""
        build_id = str(end.build_id)
        key = _key(build_id, end.attempt, end.stage, end.iteration, end.tree_hash.hex())
        try:
            found = [each async for each in self.saver.alist(None, filter={"ended": key}, limit=1)]
        except CheckpointRefused as fault:
            log.error("checkpoint refused", build_id=build_id, fault=str(fault))
            return None
        if not found:
            return None
        values = found[0].checkpoint["channel_values"]
        return cast("State", {name: values[name] for name in State.__annotations__ if name in values})

    async def prune(self, threads: Sequence[str]) -> None:
        """Deletes everything that is stored of the threads."""
        await self.saver.aprune(threads, strategy="delete")


@contextlib.asynccontextmanager
async def open_saver(dsn: str, saver: type[Saver] = Saver) -> AsyncIterator[Saver]:
    """Opens a saver on a connection of its own, which comes back by itself when Postgres was away."""
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=2,
        open=False,
        timeout=10.0,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    async with pool:
        yield saver(pool, serde=PlainData())


async def migrate(dsn: str) -> None:
    """Brings the saver's tables up to date; it keeps their versions itself. Not for two at a time."""
    async with AsyncPostgresSaver.from_conn_string(dsn) as saver:
        await saver.setup()


def _key(build_id: str, attempt: int, stage: int, iteration: int, tree: str) -> str:
    return f"{build_id}/{attempt}/{stage}/{iteration}/{tree}"


def _refuse(code: int, _: bytes) -> NoReturn:
    raise ValueError(f"the msgpack extension {code} stands for an object")


async def _patiently(act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Does `act`, which must be safe to repeat, until Postgres answers."""
    while True:
        try:
            return await act()
        except psycopg.OperationalError as fault:
            log.warning("Postgres away; a checkpoint waits for it", fault=type(fault).__name__)
            await asyncio.sleep(AWAY_SECONDS)
