"""Builds as they are now: one as the fold of its log, many as rows."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

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


async def stage_ends(connection: asyncpg.Pool | db.Connection, build_id: UUID) -> list[StageEnd]:
    """Returns the ends of finished stages that stand in the log, the newest last: as many as the fold keeps."""
    _, snapshot = await _folded(connection, build_id)
    return [
        StageEnd(
            sequence=mark.sequence,
            attempt=mark.attempt,
            stage=mark.stage,
            iteration=mark.iteration,
            tree_hash=mark.tree_hash,
        )
        for mark in snapshot.marks
        if mark.stage
    ]


async def _folded(connection: asyncpg.Pool | db.Connection, build_id: UUID) -> tuple[asyncpg.Record, BuildSnapshot]:
    row = await connection.fetchrow(sql.read_snapshot, build_id)
    if row is None:
        raise errors.NotFound("build", str(build_id))
    tail = WatchBuildResponse.FromString(row["tail"] or b"")
    stored = BuildSnapshot.FromString(row["snapshot"]) if row["snapshot"] else None
    return row, fold.fold(tail.events, stored)


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
