"""What a call of a model costs: rates by kind of token, from the bundled table and from the operator's own file."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import genai_prices
from genai_prices import data_snapshot, types
from google.rpc import code_pb2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cofounder.errors.v1 import error_reason_pb2
from cofounder_server import errors

_PROVIDER = "anthropic"
# What the bundled table calls the rate of each of our kinds.
_BUNDLED_KEYS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
_READ = ("input", "cache_read", "cache_write_5m", "cache_write_1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one call by kind. `input` is without those read from or written to the cache (A-26)."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} is negative; a call can give no tokens back")

    @property
    def read(self) -> int:
        """All that the model read, from the cache or not."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        return self.read + self.output


class UnknownModel(errors.BuildError):
    """No price is known, so nothing may be asked of the model (A-25)."""

    code: ClassVar[int] = code_pb2.FAILED_PRECONDITION
    reason: ClassVar[int] = error_reason_pb2.ERROR_REASON_PROVIDER_FAILED

    def __init__(self, model: str, *, missing: str = "price") -> None:
        super().__init__(
            f"No {missing} is known for the model {model!r}, so it was not called and nothing was spent. "
            "The operator can add one: set COFOUNDER_PRICES to a JSON file such as "
            f'{{"version": "1", "models": {{{json.dumps(model)}: {{"input": 3, "output": 15, "cache_read": 0.3, '
            '"cache_write_5m": 3.75, "cache_write_1h": 6}}, in US dollars per million tokens.',
            metadata={"kind": "unknown_model"},
        )


class BadPrices(ValueError):
    """The operator's file cannot be used; the message says what is wrong with it."""


class _Rates(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cache_read: Decimal = Field(ge=0)
    cache_write_5m: Decimal = Field(ge=0)
    cache_write_1h: Decimal = Field(ge=0)


class _OperatorPrices(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(min_length=1, max_length=100)
    models: dict[str, _Rates]


_Rate = Decimal | types.TieredPrices | None


class PriceTable:
    """Rates by model. The operator's win over the bundled ones. Nothing here asks the network."""

    def __init__(
        self, operator: Mapping[str, Mapping[str, Decimal]] | None = None, *, operator_version: str = ""
    ) -> None:
        self._operator = dict(operator or {})
        self._bundled: dict[tuple[str, str], Mapping[str, _Rate]] = {}
        self.version = f"genai-prices/{genai_prices.__version__}"
        if operator_version:
            self.version += f"+operator/{operator_version}"

    @classmethod
    def load(cls, operator_file: Path | None = None) -> "PriceTable":
        """Reads the operator's file, if there is one. Raises `BadPrices`."""
        if operator_file is None:
            return cls()
        try:
            raw = json.loads(operator_file.read_text(), parse_float=Decimal)
            prices = _OperatorPrices.model_validate(raw)
        except (OSError, ValueError, ValidationError) as error:
            raise BadPrices(f"The prices in {operator_file} cannot be used: {_told(error)}") from None
        rates = {model: dict(found) for model, found in prices.models.items()}
        return cls(rates, operator_version=prices.version)

    def check(self, model: str, *, at: datetime | None = None) -> None:
        """Raises `UnknownModel` unless calls of `model` can be priced. Called before the provider is."""
        rates = self._rates(model, at or datetime.now(UTC))
        for kind in ("input", "output"):
            if rates.get(kind) is None:
                raise UnknownModel(model, missing=f"price of {kind} tokens")

    def knows(self, model: str, *, at: datetime | None = None) -> bool:
        """Returns whether calls of `model` can be priced."""
        try:
            self.check(model, at=at)
        except UnknownModel:
            return False
        return True

    def cost(self, model: str, tokens: Tokens, *, at: datetime | None = None) -> int:
        """Returns the cost in millionths of a US dollar, rounded up once for the whole call (A-25).

        Raises `UnknownModel`, also where only the rate of a kind that was used is missing.
        """
        rates = self._rates(model, at or datetime.now(UTC))
        total = Decimal(0)
        for field in fields(tokens):
            count = getattr(tokens, field.name)
            rate = _tier(rates.get(field.name), tokens.read)
            if count and rate is None:
                raise UnknownModel(model, missing=f"price of {field.name} tokens")
            total += (rate or Decimal(0)) * count
        return math.ceil(total)

    def worst(self, model: str, *, read: int, written: int, at: datetime | None = None) -> int:
        """Returns the most that a call may cost: all it reads at the dearest rate for that, all it may write.

        Raises `UnknownModel`.
        """
        at = at or datetime.now(UTC)
        self.check(model, at=at)
        rates = self._rates(model, at)
        dearest = max(_tier(rates.get(kind), read) or Decimal(0) for kind in _READ)
        return math.ceil(dearest * read + (_tier(rates.get("output"), read) or Decimal(0)) * written)

    def _rates(self, model: str, at: datetime) -> Mapping[str, _Rate]:
        if model in self._operator:
            return self._operator[model]
        # A price may change with the day, never within one.
        key = (model, at.date().isoformat())
        if key not in self._bundled:
            self._bundled[key] = _bundled(model, at)
        return self._bundled[key]


def _bundled(model: str, at: datetime) -> Mapping[str, _Rate]:
    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(model, None, _PROVIDER, None)
    except LookupError:
        raise UnknownModel(model) from None
    prices = found.get_prices(at)
    return {kind: getattr(prices, key, None) for kind, key in _BUNDLED_KEYS.items()}


def _tier(rate: _Rate, read: int) -> Decimal | None:
    """Returns the rate that holds for a call that reads so many tokens: the highest tier passed, for all of them."""
    if not isinstance(rate, types.TieredPrices):
        return rate
    passed = [tier.price for tier in rate.tiers if read > tier.start]
    return passed[-1] if passed else rate.base


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        faults: list[Any] = error.errors()
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:5])
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"it is not JSON ({error})"
