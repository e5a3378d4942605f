"""Builds as they are now: one as the fold of its log, many as rows."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.build_pb2 import Build
from cofounder.runner.v1.build_snapshot_pb2 import BuildSnapshot
from cofounder.runner.v1.runner_service_pb2 import WatchBuildResponse
from cofounder_server import db, errors
from cofounder_server.builds import fold
from cofounder_server.builds.model import StageEnd, State

sql = db.queries("cofounder_server.builds")


class Builds:
    """Reads builds.

    Args:
        repositories: The folder of finished repositories, where the caller shares this machine; else None.
    """

    def __init__(self, pool: asyncpg.Pool, *, repositories: Path | None = None) -> None:
        self._pool = pool
        self._repositories = repositories

    async def project_of(self, build_id: UUID) -> UUID | None:
        """Returns the build's project, or None if there is no such build."""
        row = await self._pool.fetchrow(sql.read_build, build_id)
        return row["project_id"] if row else None

    async def get(self, build_id: UUID) -> tuple[Build, BuildSnapshot]:
        """Returns a build, and all that a screen shows of it: the newest stored fold and the events after it, read in
        one statement. Raises NotFound."""
        row, snapshot = await _folded(self._pool, build_id)
        build = snapshot.build
        build.build_id, build.oldest_sequence = str(build_id), row["oldest"]
        # What a scenario commits stands in its script only.
        if build.commit_sha and not build.scenario and self._repositories is not None:
            build.repository_uri = (self._repositories / str(build_id)).absolute().as_uri()
        return build, snapshot

    async def list(self, project_ids: Sequence[UUID], *, before: UUID | None, limit: int) -> list[Build]:
        """Returns up to `limit` builds of the projects, newest first, older than `before`.

        What only the fold of a log knows is left out: stage, error, cost, commit.
        """
        rows = await self._pool.fetch(sql.list_builds, list(project_ids), before, limit)
        return [_listed(row) for row in rows]


async def stage_ends(connection: db.Source, build_id: UUID) -> list[StageEnd]:
    """Returns the ends of finished stages that stand in the log, the newest last: as many as the fold keeps."""
    row, snapshot = await _folded(connection, build_id)
    line = await connection.fetch(sql.read_line, build_id) if row["parent_id"] else []
    return [
        StageEnd(
            build_id=_finisher(build_id, line, mark.sequence),
            sequence=mark.sequence,
            attempt=mark.attempt,
            stage=mark.stage,
            iteration=mark.iteration,
            tree_hash=mark.tree_hash,
        )
        for mark in snapshot.marks
        if mark.stage
    ]


def _finisher(build_id: UUID, line: Sequence[asyncpg.Record], sequence: int) -> UUID:
    """Returns the build in a fork's line whose own log holds a sequence."""
    for fork in line:
        build_id = fork["build_id"]
        if sequence > fork["parent_through"]:
            break
    return build_id


async def _folded(connection: db.Source, build_id: UUID) -> tuple[asyncpg.Record, BuildSnapshot]:
    row = await connection.fetchrow(sql.read_snapshot, build_id)
    if row is None:
        raise errors.NotFound("build", str(build_id))
    tail = WatchBuildResponse.FromString(row["tail"] or b"").events
    if row["snapshot"]:
        return row, fold.fold(tail, BuildSnapshot.FromString(row["snapshot"]))
    shared = await _shared(connection, row["parent_id"], row["parent_through"]) if row["parent_id"] else []
    return row, fold.fold([*shared, *tail])


async def _shared(connection: db.Source, build_id: UUID, through: int) -> list[BuildEvent]:
    """Returns the events of a build's log up to `through`, those of its own parent included."""
    head = await connection.fetchrow(sql.read_head, build_id)
    events: list[BuildEvent] = []
    if head["parent_id"]:
        events += await _shared(connection, head["parent_id"], min(through, head["parent_through"]))
    for row in await connection.fetch(sql.read_shared, build_id, through):
        events += (e for e in WatchBuildResponse.FromString(row["body"]).events if e.sequence <= through)
    return events


def _listed(row: asyncpg.Record) -> Build:
    build = Build(
        build_id=str(row["build_id"]),
        project_id=str(row["project_id"]),
        goal=row["goal"],
        state=State(row["state"]).wire,
        attempt=row["attempt"],
        creator_id=row["creator_id"],
        plan_slug=row["plan_slug"],
        rehearsal=row["rehearsal"],
        scenario=row["scenario"],
        budget_microdollars=row["budget_microdollars"],
        last_sequence=row["head"],
        oldest_sequence=row["oldest"],
    )
    times = {name: row[name] for name in ("create_time", "start_time", "finish_time")}
    for field, time in (times | {"start_after_time": row["start_after"]}).items():
        if time is not None:
            getattr(build, field).FromDatetime(time)
    return build
