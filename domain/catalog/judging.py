"""Which prices of a provider's list are believed: a wrong unit must never become a bill.

The anchors are the offers of the provider whose price is known already. Of at least three of them
nine tenths must stand within a factor of three of what is known, of fewer than ten all of them;
else no price of the whole list is believed. After that each offer is held against its own last
price, and a new one against what its model costs at others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Final, Literal

from domain.catalog.events import ListedPrices
from domain.catalog.listing import Spread

Doubt = Literal["anchors", "change", "elsewhere", "bounds", "proportions"]
MIN_ANCHORS: Final = 3
# A price may become three times as high, or as low, between two lists.
FACTOR: Final = 3
# One anchor in so many may have changed by more.
STRAYS_IN: Final = 10
# USD per million tokens are as many millions of picodollars per token: 0.0001, 1000 and 2000 USD.
MIN_PRICE: Final = 100
MAX_INPUT: Final = 10**9
MAX_OUTPUT: Final = 2 * 10**9
MAX_REQUEST: Final = 10**12
BY_USE: Final = ("request_picodollars", "search_picodollars")
# The widest that a price of its own kind stands from that of the input or the output.
WIDEST: Final = 100
OF_OUTPUT: Final = ("output_picodollars", "reasoning_picodollars", "output_audio_picodollars")
NAMES: Final = tuple(one.name for one in fields(ListedPrices))


def told(prices: ListedPrices | None) -> dict[str, int]:
    """The prices that are known, by name."""
    if prices is None:
        return {}
    return {name: price for name, price in asdict(prices).items() if price is not None}


def anchors_hold(pairs: Iterable[tuple[ListedPrices, ListedPrices]]) -> bool:
    """Whether listed prices, each with the known one, are of the unit they should be of."""
    agreeing = [_agree(told(listed), told(known)) for listed, known in pairs]
    strays = agreeing.count(False)
    return len(agreeing) - strays >= MIN_ANCHORS and strays * STRAYS_IN <= len(agreeing)


def doubt(
    listed: ListedPrices, known: ListedPrices | None, elsewhere: Spread | None
) -> Doubt | None:
    """Why an offer's prices are not believed; None when they are."""
    new = told(listed)
    if not all(map(_is_within_bounds, new.items())):
        return "bounds"
    if known is not None and not _agree(new, told(known)):
        return "change"
    if known is None and elsewhere is not None and not _is_usual(new, elsewhere):
        return "elsewhere"
    return None if _is_proportionate(new) else "proportions"


def _agree(new: Mapping[str, int], old: Mapping[str, int]) -> bool:
    return all(_near(new[name], old[name]) for name in NAMES if name in new and name in old)


def _near(new: int, old: int) -> bool:
    return new <= FACTOR * old and old <= FACTOR * new


def _is_usual(new: Mapping[str, int], elsewhere: Spread) -> bool:
    ways = (("input_picodollars", elsewhere.input), ("output_picodollars", elsewhere.output))
    return all(
        low <= FACTOR * new[name] and new[name] <= FACTOR * high
        for name, (low, high) in ways
        if new.get(name)
    )


def _is_within_bounds(entry: tuple[str, int]) -> bool:
    name, price = entry
    if name in BY_USE:
        return 0 <= price <= MAX_REQUEST
    return price == 0 or MIN_PRICE <= price <= (MAX_OUTPUT if name in OF_OUTPUT else MAX_INPUT)


def _is_proportionate(new: Mapping[str, int]) -> bool:
    for name, price in new.items():
        whole = new.get("output_picodollars" if name in OF_OUTPUT else "input_picodollars")
        if name in BY_USE or not price or not whole:
            continue
        if price > WIDEST * whole or whole > WIDEST * price:
            return False
    return True
