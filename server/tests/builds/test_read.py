"""What is told of a build beside its log."""

from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_work_pb2 import CommitCreated
from cofounder_server.builds.read import Builds
from cofounder_server.builds.start import Order, Starter

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("scenario", ["", "happy_path"], ids=["agents", "a scenario"])
async def test_a_repository_is_named_where_there_is_one(
    pool: asyncpg.Pool, starter: Starter, project: UUID, append, tmp_path: Path, scenario: str
):
    """A scenario's commit stands in its script only: no path may lead to it."""
    order = Order(
        creator_id="me",
        payer_id="me",
        project_id=project,
        plan_slug="partner",
        goal="g",
        request_id=uuid4(),
        scenario=scenario,
    )
    build_id, _ = await starter.start(order)
    builds = Builds(pool, repositories=tmp_path)
    assert (await builds.get(build_id))[0].repository_uri == ""
    await append(build_id, 1, BuildEvent(commit_created=CommitCreated(sha="ab" * 20)))
    build, _ = await builds.get(build_id)
    assert build.commit_sha == "ab" * 20
    assert build.repository_uri == ("" if scenario else (tmp_path / str(build_id)).as_uri())
