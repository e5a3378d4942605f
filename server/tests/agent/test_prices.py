"""What calls cost."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cofounder_server.errors import reason_name, to_status
from cofounder_server.usage.prices import BadPrices, PriceTable, Tokens, UnknownModel

SONNET = "claude-sonnet-5-5"
EXAMPLE = Tokens(input=25, output=7, cache_read=1000, cache_write_5m=400, cache_write_1h=100)


def operator(folder: Path, **rates: object) -> Path:
    file = folder / "prices.json"
    file.write_text(json.dumps({"version": "7", "models": {"local": rates}}))
    return file


WHOLE = {"input": 0.5, "output": 2, "cache_read": 0.05, "cache_write_5m": 0.625, "cache_write_1h": 1}


def test_each_kind_of_token_has_its_own_rate_example_23(tmp_path: Path) -> None:
    """A-26: 25·in + 1000·read + 400·5m + 100·1h + 7·out, once."""
    table = PriceTable.load(operator(tmp_path, **WHOLE))
    exact = 25 * 0.5 + 7 * 2 + 1000 * 0.05 + 400 * 0.625 + 100 * 1
    assert exact == 426.5
    assert table.cost("local", EXAMPLE) == 427


def test_the_bundled_rates_are_those_of_the_table(tmp_path: Path) -> None:
    """A-26, with the provider's own multiples: 1.25 and 2 times the input for the two kinds of cache write."""
    table = PriceTable()
    for kind, rate in (("input", 2), ("output", 10), ("cache_write_5m", 2.5), ("cache_write_1h", 4)):
        assert table.cost(SONNET, Tokens(**{kind: 1_000_000})) == rate * 1_000_000


def test_the_cost_is_rounded_up_once_for_the_whole_call(tmp_path: Path) -> None:
    """A-25: three kinds of a third each are one microdollar, not three."""
    table = PriceTable.load(operator(tmp_path, **{**WHOLE, "input": 0.3, "output": 0.3, "cache_read": 0.3}))
    assert table.cost("local", Tokens(input=1, output=1, cache_read=1)) == 1
    assert table.cost("local", Tokens(input=4)) == 2
    assert table.cost("local", Tokens()) == 0


def test_a_tier_holds_for_all_tokens_once_it_is_passed() -> None:
    """A-26: cached tokens count towards the tier."""
    table = PriceTable()
    below = table.cost("claude-sonnet-4-5", Tokens(input=100_000, cache_read=100_000))
    above = table.cost("claude-sonnet-4-5", Tokens(input=100_000, cache_read=100_001))
    assert above > below * 1.5


def test_an_unknown_model_is_refused_and_the_cure_is_said() -> None:
    """A-25: refused, not priced by default."""
    table = PriceTable()
    assert not table.knows("nonsense")
    with pytest.raises(UnknownModel, match="COFOUNDER_PRICES") as caught:
        table.cost("nonsense", EXAMPLE)
    assert to_status(caught.value).code == 9
    assert reason_name(caught.value.reason) == "PROVIDER_FAILED"


def test_the_operators_price_wins_over_the_bundled_one() -> None:
    rates = {kind: Decimal(1) for kind in WHOLE}
    assert PriceTable({SONNET: rates}).cost(SONNET, Tokens(output=5)) == 5


def test_the_version_names_both_tables(tmp_path: Path) -> None:
    """A-25: stored with each row."""
    assert PriceTable().version == "genai-prices/0.2.3"
    assert PriceTable.load(operator(tmp_path, **WHOLE)).version == "genai-prices/0.2.3+operator/7"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ('{"version": "1", "models": {"m": {"input": 1}}}', "models.m.output"),
        ('{"version": "1", "models": {"m": {"input": -1}}}', "models.m.input"),
        ('{"models": {}}', "version"),
        ('{"version": "1", "models": {}, "more": 1}', "more"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(BadPrices, match=told):
        PriceTable.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPrices, match="No such file"):
        PriceTable.load(tmp_path / "none.json")


def test_negative_tokens_cannot_be_made() -> None:
    """Example 33: never a credit."""
    with pytest.raises(ValueError, match="negative"):
        Tokens(input=-5)


def test_the_default_models_have_prices() -> None:
    """A build on the defaults is never refused for want of a price."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    assert all(PriceTable().knows(model, at=at) for model in ("claude-opus-5-5", SONNET, "claude-haiku-5-5"))
