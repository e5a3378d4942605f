"""A fixed handful of the kill matrix's cells; `make kill-matrix` plays all of them."""

import pytest

from cofounder_testkit import cell, house, moments
from cofounder_testkit.cell import Cell
from cofounder_testkit.matrix import VICTIMS, Choice, cells
from cofounder_testkit.moments import Moment

pytestmark = pytest.mark.integration

# One for each victim, and of the signals each at least once.
CELLS = [
    Cell("worker", "kill9", Moment("worker", "log.append.after", nth=3)),
    Cell("worker", "stop", Moment("worker", "build.finish.before")),
    Cell("server", "kill9", Moment("server", "queue.add.before")),
    Cell("gateway", "term", Moment("worker", "wire.publish.before")),
    Cell("redis", "kill9", Moment("worker", "queue.claim.after")),
    Cell("postgres", "kill9", Moment("worker", "log.append.before", nth=3)),
]


async def test_every_promise_holds_whoever_dies(tmp_path):
    """Dense, unique, equal for three watchers and to Postgres, one terminal event, last; nothing left in the index."""
    async with house.running(tmp_path / "data") as lived_in:
        outcomes = [await cell.play(lived_in, each) for each in CELLS]
    assert not [outcome for outcome in outcomes if outcome.broken]
    by_name = {outcome.cell: outcome for outcome in outcomes}
    assert by_name["worker/kill9/log.append.after@worker#3"].attempts == 2, "another worker went on"
    assert by_name["worker/stop/build.finish.before@worker"].attempts == 2, "what woke up too late ended nothing"
    assert by_name["gateway/term/wire.publish.before@worker"].attempts == 1, "a build needs no gateway"


@pytest.mark.unit
def test_cells_are_chosen_by_the_beginning_of_their_names_and_by_a_seed():
    whole = cells([Moment("worker", "log.append.before"), Moment("worker", "log.append.before", nth=3)])
    assert len(whole) == len({each.name for each in whole}) == len(VICTIMS) * 3 * 2
    assert [each.name for each in Choice(only="redis/stop/log").of(whole)] == [
        "redis/stop/log.append.before@worker",
        "redis/stop/log.append.before@worker#3",
    ]
    assert Choice(sample=5, seed=1).of(whole) == Choice(sample=5, seed=1).of(whole)
    assert len(Choice(sample=5, seed=1).of(whole)) == 5


async def test_the_moments_are_found_by_playing_a_build(tmp_path):
    """A new step is a new moment, without a list to keep."""
    async with house.running(tmp_path / "data") as lived_in:
        found = {moment.name for moment in await moments.of_a_build(lived_in)}
    assert {"queue.add.before@server", "build.begin.after@worker", "log.append.before@worker#3"} <= found
    assert "build.cancel.before@server" not in found, "nobody cancels it"
