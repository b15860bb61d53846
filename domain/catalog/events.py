"""The events of the catalogue."""

from dataclasses import dataclass

from domain.event import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """What replaces an offer's prices, for the whole request, above so many input tokens.

    In picodollars per token. A price that is None is that of the input or the output.
    """

    above_input_tokens: int
    input_picodollars: int
    output_picodollars: int
    cache_read_picodollars: int | None = None
    cache_write_picodollars: int | None = None
    cache_write_1h_picodollars: int | None = None
    input_audio_picodollars: int | None = None
    reasoning_picodollars: int | None = None
    output_audio_picodollars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedOffer:
    """What one model costs at one provider, in picodollars per token and per request.

    A price that is None is that of the input or the output. The tiers rise.
    """

    model: str
    provider: str
    native_id: str
    input_picodollars: int
    output_picodollars: int
    cache_read_picodollars: int | None = None
    cache_write_picodollars: int | None = None
    cache_write_1h_picodollars: int | None = None
    input_audio_picodollars: int | None = None
    reasoning_picodollars: int | None = None
    output_audio_picodollars: int | None = None
    request_picodollars: int = 0
    tiers: tuple[PriceTier, ...] = ()


@event("catalog.price_book.published", version=1)
class PriceBookPublished(Event):
    """The prices of one model's offers, that jobs are pinned to from now on.

    `price_version` is derived from the content: the same prices have the same version.
    """

    price_version: str
    offers: tuple[PricedOffer, ...]


EVENTS: tuple[type[Event], ...] = (PriceBookPublished,)
