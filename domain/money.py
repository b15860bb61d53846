"""Money: integer picodollars (10⁻¹² USD) inside, decimal strings in USD outside."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from domain.errors import InvalidRequest

PICODOLLARS_PER_USD = 10**12
TOKENS_PER_PRICE_UNIT = 10**6

# The largest amount that one wallet may hold: what SQLite's signed 64-bit integers can carry,
# with room for one more such amount. About 4.6 million USD.
MAX_PICODOLLARS = 2**62


def usd_to_picodollars(text: str) -> int:
    """Converts a decimal string in USD, exactly.

    Raises `InvalidRequest` when the text is no plain decimal, is finer than a picodollar or
    larger than `MAX_PICODOLLARS`.
    """
    amount = _decimal(text) * PICODOLLARS_PER_USD
    if amount != amount.to_integral_value():
        raise InvalidRequest(f"{text!r} USD is finer than a picodollar", param="amount_usd")
    if abs(amount) > MAX_PICODOLLARS:
        raise InvalidRequest(f"{text!r} USD is beyond the largest amount", param="amount_usd")
    return int(amount)


def picodollars_to_usd(amount: int) -> str:
    """The decimal string in USD: no exponent, at least two decimals, no needless zeros after."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), PICODOLLARS_PER_USD)
    digits = f"{fraction:012d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{digits}"


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """The price of one token; built only from a figure whose unit is named."""

    picodollars_per_token: int

    @classmethod
    def from_usd_per_million(cls, text: str) -> "TokenPrice":
        """Reads a decimal price in USD per million tokens; at most six decimals, not negative."""
        per_token = _decimal(text) * PICODOLLARS_PER_USD / TOKENS_PER_PRICE_UNIT
        if per_token < 0 or per_token != per_token.to_integral_value():
            raise InvalidRequest(
                f"price {text!r}: not a non-negative USD figure with at most six decimals"
            )
        return cls(int(per_token))

    def usd_per_million(self) -> str:
        """The price as a decimal string in USD per million tokens."""
        return picodollars_to_usd(self.picodollars_per_token * TOKENS_PER_PRICE_UNIT)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise InvalidRequest(f"{text!r} is not a decimal amount") from error
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise InvalidRequest(f"{text!r} is not a decimal amount")
    return value
