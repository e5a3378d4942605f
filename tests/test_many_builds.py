"""Many builds at once: Redis lost in the middle of them, permits, order and waiting; `make redis-lost`, `many-jobs`."""

import pytest

from cofounder_testkit import guards, many_jobs, redis_lost

pytestmark = pytest.mark.integration


async def test_redis_may_be_emptied_put_back_from_an_old_snapshot_or_be_away(tmp_path):
    """B-1, examples 55 and 57: each build has one end and succeeds; nobody is ever above their permits."""
    outcomes = await redis_lost.play(tmp_path, print, builds=40, away_seconds=3.0, seed=7)
    assert [outcome.loss for outcome in outcomes] == ["emptied", "restored", "away"]
    assert not [outcome for outcome in outcomes if outcome.broken]


async def test_b_9_b_10_permits_order_and_waiting_hold_for_many_jobs_of_three_plans(tmp_path):
    outcome = await many_jobs.play(tmp_path, jobs=120, users=10, seed=3)
    assert outcome.broken is None
    assert outcome.most["user bootstrapper"] == (2, 2), "permits were what kept them"
    assert 0 < outcome.longest <= outcome.bound, "the higher plans were ahead, and no further than they may"


@pytest.mark.parametrize("guard", guards.GUARDS, ids=lambda guard: guard.name)
async def test_a_check_fails_as_soon_as_its_guard_is_gone(guard, tmp_path):
    shown = await guards.show(guard, tmp_path)
    assert shown.product is None
    assert shown.variant
