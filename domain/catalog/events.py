"""The events of the catalogue."""

from dataclasses import dataclass
from typing import Literal

from domain.event import Event, event

ModelKind = Literal[
    "chat",
    "embedding",
    "image",
    "audio",
    "moderation",
    "rerank",
    "video",
    "realtime",
    "document",
]


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
    """What one model costs at one provider, in picodollars per token, per request and per search.

    A price that is None is that of the input or the output. The tiers rise. What a search costs is
    told of models that search the web at every request.
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
    search_picodollars: int = 0


@event("catalog.price_book.published", version=1)
class PriceBookPublished(Event):
    """The prices of one model's offers, that jobs are pinned to from now on.

    `price_version` is derived from the content: the same prices have the same version.
    """

    price_version: str
    offers: tuple[PricedOffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPrices:
    """What a provider's own list says that a token, a request or a search costs, in picodollars.

    What is None the list does not tell.
    """

    input_picodollars: int | None = None
    output_picodollars: int | None = None
    cache_read_picodollars: int | None = None
    cache_write_picodollars: int | None = None
    input_audio_picodollars: int | None = None
    reasoning_picodollars: int | None = None
    output_audio_picodollars: int | None = None
    request_picodollars: int | None = None
    search_picodollars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedOffer:
    """An offer as a provider's own list has it, over what is known without the list.

    What is None is as known otherwise. `free` confirms that prices of zero are meant.
    """

    model: str
    native_id: str
    kind: ModelKind
    prices: ListedPrices | None = None
    free: bool = False
    context_length: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedPrice:
    """An offer whose prices were not believed, with what it costs meanwhile.

    `why`: "anchors" (the whole list disagrees with what is known), "change", "elsewhere" (the
    model costs something else everywhere else), "bounds" or "proportions".
    """

    offer: SyncedOffer
    old: ListedPrices | None
    why: str


@event("catalog.offers.synced", version=1)
class OffersSynced(Event):
    """What changed on a provider's own list of models; a long list makes several of these.

    `offers` are new or changed, whole; `seen` are known ones that appeared on the list, `gone`
    ones that left it; `cleared` are out of quarantine, their prices being as expected again.
    """

    provider: str
    offers: tuple[SyncedOffer, ...] = ()
    seen: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()


@event("catalog.prices.quarantined", version=1)
class PricesQuarantined(Event):
    """Prices on a provider's list were not believed; what was known before stays in force."""

    provider: str
    prices: tuple[QuarantinedPrice, ...]


@event("catalog.prices.released", version=1)
class PricesReleased(Event):
    """The operator vouches for prices that were in quarantine: they are in force from now on."""

    provider: str
    offers: tuple[SyncedOffer, ...]
    reason: str


@event("catalog.sync.refused", version=1)
class SyncRefused(Event):
    """A provider's list was put aside whole and the last one stays in force.

    `why`: "failed", "unreadable", "empty" or "shrunk". A refusal for the same reason as the one
    before it is not told again.
    """

    provider: str
    why: str
    listed: int | None = None


@event("catalog.offer.delisted", version=1)
class OfferDelisted(Event):
    """The operator took an offer off sale, whatever lists say from now on."""

    provider: str
    native_id: str
    reason: str


@event("catalog.offer.relisted", version=1)
class OfferRelisted(Event):
    """The operator lets an offer be sold again."""

    provider: str
    native_id: str
    reason: str


FEED_EVENTS: tuple[type[Event], ...] = (
    OffersSynced,
    PricesQuarantined,
    PricesReleased,
    SyncRefused,
    OfferDelisted,
    OfferRelisted,
)
EVENTS: tuple[type[Event], ...] = (PriceBookPublished, *FEED_EVENTS)
