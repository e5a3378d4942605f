"""Nine in ten builds start before the time that nine in ten are said to: over many builds that nobody foresaw."""

import pytest

from cofounder_server.builds.forecasts import judge
from cofounder_testkit import eta

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("seed", [1, 2])
def test_nine_in_ten_forecasts_are_kept(seed):
    assert judge(eta.measure(builds=800, seed=seed)).share == pytest.approx(0.9, abs=0.03)
