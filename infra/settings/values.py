"""The values that settings are made of, each read from text with its unit."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, SecretStr

from domain.errors import InvalidRequest
from domain.money import TokenPrice, usd_to_picodollars

UNIT_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*")


def seconds(value: Any) -> float:
    """A duration in seconds, from a number of seconds or text such as "250ms", "2s", "15m"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number of seconds, or text such as '250ms', '2s', '15m'")
    return float(Decimal(match[1]) * UNIT_SECONDS[match[2] or "s"])


def token_price(value: Any) -> TokenPrice | None:
    """A price from a decimal figure in USD per million tokens; None stays unknown."""
    if value is None or isinstance(value, TokenPrice):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a price is a decimal figure in USD per million tokens")  # noqa: TRY004
    try:
        return TokenPrice.from_usd_per_million(str(value))
    except InvalidRequest as error:
        raise ValueError(error.message) from error


def request_price(value: Any) -> int:
    """Picodollars from a decimal figure in USD."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a price is a decimal figure in USD")  # noqa: TRY004
    try:
        amount = usd_to_picodollars(str(value))
    except InvalidRequest as error:
        raise ValueError(error.message) from error
    if amount < 0:
        raise ValueError("a price is not negative")
    return amount


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, BeforeValidator(seconds), Field(ge=0, allow_inf_nan=False)]
UsdPerMillion = Annotated[TokenPrice | None, PlainValidator(token_price)]
UsdPerRequest = Annotated[int, PlainValidator(request_price)]
UsdPerSearch = Annotated[int | None, PlainValidator(request_price)]
Secret = Annotated[SecretStr, Field(min_length=1)]
