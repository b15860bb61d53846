"""What one source says of one model at one provider, and how its figures become picodollars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

PICODOLLARS = Decimal(10**12)
PER_MILLION = Decimal(10**6)

Prices = dict[str, int]
WHOLES = ("input", "output")
# Beside the tokens: in picodollars for a request, and for a search of the web.
BY_USE = ("request", "search")


@dataclass(slots=True, kw_only=True)
class Row:
    """Prices are picodollars per token, by dimension; `tiers` by the input tokens they lie above.

    `per_unit` holds what is not sold by the token: an image, a second, a page.
    `is_over` after the announced end, `deprecated` where an end was announced without a day.
    """

    provider: str
    native_id: str
    source: str
    kind: str | None = None
    prices: Prices = field(default_factory=dict)
    tiers: dict[int, Prices] = field(default_factory=dict)
    batch: Prices = field(default_factory=dict)
    per_unit: Prices = field(default_factory=dict)
    context_length: int | None = None
    max_output_tokens: int | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    is_over: bool = False
    deprecated: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Providers tell their ids apart by more than case nowhere."""
        return self.provider, self.native_id.lower()

    @property
    def is_priced(self) -> bool:
        by_token = (self.prices.get("input", 0), self.prices.get("output", 0))
        return any(by_token) or any(self.per_unit.values())


def per_unit(usd: Decimal | int | str) -> int:
    """Picodollars for a price in USD; what is finer is rounded up, never below the cost.

    Raises `ValueError` for what is no price: providers write -1 where it depends.
    """
    amount = Decimal(usd) * PICODOLLARS
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd} is no price")
    return int(amount.to_integral_value(ROUND_CEILING))


def per_token(usd_per_million: Decimal | str) -> int:
    """Picodollars a token for a price in USD per million tokens; else as `per_unit`."""
    return per_unit(Decimal(usd_per_million) / PER_MILLION)


def told_apart(prices: Prices) -> Prices:
    """Without zeros beside the input and the output: sources write them where they know nothing."""
    return {name: price for name, price in prices.items() if price or name in WHOLES}


def tiers_of(base: Prices, above: Mapping[int, Prices]) -> dict[int, Prices]:
    """Each tier with all its prices: one that it does not raise stays that of the base."""
    return {threshold: {**base, **prices} for threshold, prices in sorted(above.items()) if prices}


def whole_number(value: object) -> int | None:
    """A limit in tokens; None when it is unknown, written as text or not positive."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return int(value) if value > 0 else None
