"""The events of the catalogue."""

from dataclasses import dataclass

from domain.event import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedOffer:
    """What one model costs at one provider, in picodollars per token."""

    model: str
    provider: str
    native_id: str
    input_picodollars: int
    output_picodollars: int


@event("catalog.price_book.published", version=1)
class PriceBookPublished(Event):
    """The prices that jobs accepted from now on are pinned to.

    `price_version` is derived from the content: the same prices have the same version.
    """

    price_version: str
    offers: tuple[PricedOffer, ...]


EVENTS: tuple[type[Event], ...] = (PriceBookPublished,)
