"""What providers' own lists and the operator say of offers: a fold of the catalogue's events.

All events of a provider stand in one stream, so that of two nodes that sync it at once one is
refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.catalog.events import (
    FEED_EVENTS,
    ListedPrices,
    OfferDelisted,
    OfferRelisted,
    OffersSynced,
    PricesQuarantined,
    PricesReleased,
    QuarantinedPrice,
    SyncedOffer,
    SyncRefused,
)
from domain.event import Event, Recorded

FEED_EVENT_NAMES = tuple(event_type.event_name for event_type in FEED_EVENTS)


def stream_of(provider: str) -> str:
    """The stream of everything that is told of a provider's list."""
    return f"catalogue_{provider}"


@dataclass(frozen=True, slots=True)
class Delisting:
    """Why and when the operator took an offer off sale."""

    reason: str
    at: int


@dataclass(slots=True)
class Feed:
    """One provider; `seen` are the offers on its last good list.

    `days` are those on which the offers were told, `last` the last prices of each, also of what is
    unpriced or gone; `version` is that of the stream.
    """

    offers: dict[str, SyncedOffer] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    last: dict[str, ListedPrices] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    quarantined: dict[str, QuarantinedPrice] = field(default_factory=dict)
    delisted: dict[str, Delisting] = field(default_factory=dict)
    refused: str | None = None
    synced_at: int | None = None
    version: int = 0

    def copied(self) -> "Feed":
        """As it is now."""
        return replace(
            self,
            offers=dict(self.offers),
            days=dict(self.days),
            last=dict(self.last),
            seen=set(self.seen),
            gone=set(self.gone),
            quarantined=dict(self.quarantined),
            delisted=dict(self.delisted),
        )


NO_FEED: Feed = Feed()


class Feeds:
    """Every provider that anything was told of; `revision` rises when an offer may have changed."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self.revision = 0

    def __getitem__(self, provider: str) -> Feed:
        """The provider's feed, to be read only; an empty one when nothing was told of it."""
        return self._feeds.get(provider, NO_FEED)

    def __iter__(self) -> Iterator[tuple[str, Feed]]:
        return iter(sorted(self._feeds.items()))

    def copied(self) -> Mapping[str, Feed]:
        """What is told now, for a reader in another thread."""
        return {provider: feed.copied() for provider, feed in self._feeds.items()}

    def apply(self, recorded: Recorded[Event]) -> None:
        """Takes an event in; one of another kind changes nothing."""
        event = recorded.event
        if not isinstance(event, FEED_EVENTS):
            return
        feed = self._feeds.setdefault(event.provider, Feed())  # type: ignore[attr-defined]
        if recorded.version <= feed.version:
            return
        feed.version = recorded.version
        _take(feed, event, recorded.recorded_at)
        self.revision += not isinstance(event, (PricesQuarantined, SyncRefused))


def _take(feed: Feed, event: Event, at: int) -> None:
    match event:
        case OffersSynced():
            _take_synced(feed, event, at)
        case PricesQuarantined():
            feed.quarantined.update({one.offer.native_id: one for one in event.prices})
        case PricesReleased():
            _put(feed, event.offers, at)
        case SyncRefused():
            feed.refused = event.why
        case OfferDelisted():
            feed.delisted[event.native_id] = Delisting(event.reason, at)
        case OfferRelisted():
            feed.delisted.pop(event.native_id, None)


def _take_synced(feed: Feed, event: OffersSynced, at: int) -> None:
    feed.refused, feed.synced_at = None, at
    for native_id in event.gone:
        feed.offers.pop(native_id, None)
        feed.seen.discard(native_id)
        feed.gone.add(native_id)
    for native_id in (*event.cleared, *event.gone):
        feed.quarantined.pop(native_id, None)
    for native_id in event.seen:
        feed.seen.add(native_id)
        feed.gone.discard(native_id)
    kept = {one.native_id: feed.quarantined.get(one.native_id) for one in event.offers}
    _put(feed, event.offers, at)
    feed.quarantined.update({name: one for name, one in kept.items() if one is not None})


def _put(feed: Feed, offers: tuple[SyncedOffer, ...], at: int) -> None:
    day = datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
    for offer in offers:
        feed.offers[offer.native_id] = offer
        if offer.prices is not None:
            feed.last[offer.native_id] = offer.prices
        feed.days[offer.native_id] = day
        feed.seen.add(offer.native_id)
        feed.gone.discard(offer.native_id)
        feed.quarantined.pop(offer.native_id, None)
