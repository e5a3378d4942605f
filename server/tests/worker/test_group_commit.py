"""The group commit's end: it comes, whatever the commit is at."""

import asyncio

import pytest

from cofounder.runner.v1.build_event_pb2 import BuildEvent
from cofounder.runner.v1.event_agent_pb2 import UsageRecorded
from cofounder_server.builds.read import Builds
from cofounder_server.builds.wire import Publisher
from cofounder_server.clock import WallClock
from cofounder_server.worker.group_commit import GroupCommit
from cofounder_server.worker.writer import Writer

pytestmark = pytest.mark.integration


class Deaf(Publisher):
    """Swallows one cancellation, as `asyncio.wait_for` may before Python 3.12 when it comes just with the answer."""

    async def publish(self, stretches):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


async def test_it_ends_even_if_what_it_waits_for_swallows_its_cancellation(house):
    build_id = await house.start()
    attempt = await house.transitions.begin_attempt(build_id, worker_id="w", owner="w")
    _, folded = await Builds(house.pool).get(build_id)
    writer = Writer(build_id, generation=attempt.generation, attempt=1, folded=folded)
    async with asyncio.timeout(60):
        async with GroupCommit(house.log, Deaf(house.client), WallClock()) as commit:
            commit.open(writer)
            await writer.append(BuildEvent(usage_recorded=UsageRecorded(generation_id="1")))
            commit.wake()
            await writer.flush()
