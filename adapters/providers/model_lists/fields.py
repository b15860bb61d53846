"""Fields of an entry of a list: found by dotted paths, numbers and prices read exactly."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from domain.money import PICODOLLARS_PER_USD

_MOST_TOKENS = 10**9
_LONGEST_ID = 256


def at(entry: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for name in path.split("."):
        if not isinstance(entry, Mapping):
            return None
        entry = entry.get(name)
    return entry


def count(entry: Any, *paths: str) -> int | None:
    """The first number of tokens among these that is one."""
    for path in paths:
        value = number(at(entry, path))
        if value is not None and 0 < value < _MOST_TOKENS and value == int(value):
            return int(value)
    return None


def text(entry: Any, *paths: str) -> str | None:
    """The first of these that is a text and not empty."""
    for path in paths:
        value = at(entry, path)
        if isinstance(value, str) and value:
            return value
    return None


def model_id(entry: Any, *paths: str) -> str | None:
    """The first of these that may be the id of a model: not endless, and printed as it is."""
    found = text(entry, *paths)
    fits = found is not None and len(found) <= _LONGEST_ID and found.isprintable()
    return found if fits else None


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list; of an object the names of what is true."""
    if isinstance(value, Mapping):
        return tuple(name for name, told in value.items() if told is True or _is_supported(told))
    if isinstance(value, (list, tuple)):
        return tuple(one for one in value if isinstance(one, str))
    return ()


def number(value: Any) -> Decimal | None:
    """A number, written as one or as a text."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) <= 30 else None


def picodollars(value: Any, scale: Decimal) -> int | None:
    """A price in picodollars; `scale` is what one of the list is in USD.

    What is finer than a picodollar is rounded: it is a rounding of the list's own.
    """
    found = number(value)
    if found is None:
        return None
    exact = found * scale * PICODOLLARS_PER_USD
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def lowered(values: Iterable[str]) -> tuple[str, ...]:
    """The same in small letters."""
    return tuple(value.lower() for value in values)


def _is_supported(told: Any) -> bool:
    return isinstance(told, Mapping) and told.get("supported") is True
