"""What a provider's list changes: the difference to what is known, less what is not believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from domain.catalog.events import (
    ListedPrices,
    OffersSynced,
    PricesQuarantined,
    PricesReleased,
    QuarantinedPrice,
    SyncedOffer,
    SyncRefused,
)
from domain.catalog.judging import NAMES, Doubt, anchors_hold, doubt, told
from domain.catalog.listing import Known, KnownOffer, ListedOffer, ModelListing
from domain.catalog.offers import Offer
from domain.catalog.searching import billed_once
from domain.errors import NotFound
from domain.event import Event

# An event stays small enough to be read by everybody who follows the log.
PER_EVENT = 100
Result = Literal["synced", "unchanged", "refused", "busy"]
Why = Literal["failed", "unreadable", "empty", "shrunk"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one entry comes to: itself if it tells something new, and the price put aside."""

    native_id: str
    offer: SyncedOffer | None = None
    quarantined: QuarantinedPrice | None = None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Synced:
    """What a list comes to: the events to be recorded, and why it was refused whole if it was."""

    events: tuple[Event, ...]
    refused: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What came of reading one list; the numbers are of what was recorded.

    "busy": the provider's stream moved on meanwhile, or the store is away; nothing was recorded.
    """

    provider: str
    result: Result
    why: Why | None = None
    offers: int = 0
    gone: int = 0
    quarantined: int = 0


def outcome_of(provider: str, synced: Synced) -> SyncOutcome:
    """The sum of what was recorded."""
    lists = [event for event in synced.events if isinstance(event, OffersSynced)]
    held = [event for event in synced.events if isinstance(event, PricesQuarantined)]
    result: Result = "synced" if synced.events else "unchanged"
    return SyncOutcome(
        provider=provider,
        result="refused" if synced.refused else result,
        why=synced.refused,
        offers=sum(len(event.offers) for event in lists),
        gone=sum(len(event.gone) for event in lists),
        quarantined=sum(len(event.prices) for event in held),
    )


def refused(provider: str, why: Why, known: Known, listed: int | None = None) -> Synced:
    """Nothing of the list is taken; told once for as long as the reason stays the same."""
    if known.feed.refused == why:
        return Synced((), why)
    return Synced((SyncRefused(provider=provider, why=why, listed=listed),), why)


def decide_sync(
    provider: str, listing: ModelListing, known: Known, *, accept_fewer: bool = False
) -> Synced:
    """The events that a list brings; none when it tells nothing new.

    A list that lost more than half of what was on the last one is put aside, unless the operator
    said `accept_fewer`.
    """
    entries = {entry.native_id: entry for entry in listing.offers}
    if not entries:
        return refused(provider, "empty", known, 0)
    if not accept_fewer and _is_shrunk(entries, known):
        return refused(provider, "shrunk", known, len(entries))
    believed = not listing.tells_prices or _in_known_unit(entries, known)
    judged = [_judged(entry, known, listing.tells_prices, believed) for entry in entries.values()]
    return Synced(tuple(_events(provider, judged, known, entries)))


def decide_release(
    provider: str, native_id: str | None, reason: str, held: Mapping[str, QuarantinedPrice]
) -> tuple[Event, ...]:
    """The operator's word for one price in quarantine, or for all. Raises `NotFound`."""
    wanted = list(held) if native_id is None else [native_id]
    if not wanted or any(name not in held for name in wanted):
        raise NotFound("no such price is in quarantine")
    offers = [held[name].offer for name in wanted]
    return tuple(
        PricesReleased(provider=provider, offers=some, reason=reason) for some in _parts(offers)
    )


def prices_of(offer: Offer) -> ListedPrices | None:
    """What an offer is sold at; None when it is not for sale."""
    if offer.input_picodollars is None and offer.output_picodollars is None:
        return None
    values = {name: getattr(offer, name) for name in NAMES}
    return ListedPrices(**values)


def _is_shrunk(entries: Mapping[str, ListedOffer], known: Known) -> bool:
    """Whether it lost most offers, or most prices: what is half written may look so."""
    seen, sold = known.feed.seen, known.feed.offers.values()
    priced = [one.native_id for one in sold if one.prices is not None]
    left = sum(name in entries for name in seen)
    told_now = sum(name in entries and entries[name].prices is not None for name in priced)
    return 2 * left < len(seen) or 2 * told_now < len(priced)


def _in_known_unit(entries: Mapping[str, ListedOffer], known: Known) -> bool:
    pairs = (
        (entry.prices, usual)
        for entry in entries.values()
        if entry.prices is not None
        and any(told(entry.prices).values())
        and (usual := _usual(entry.native_id, known)) is not None
    )
    return anchors_hold(pairs)


def _usual(native_id: str, known: Known) -> ListedPrices | None:
    """What the offer costs, or did when last it had a price, by all that was known before."""
    in_force = _in_force(native_id, known)
    return known.feed.last.get(native_id) if in_force is None else in_force


def _in_force(native_id: str, known: Known) -> ListedPrices | None:
    base, before = known.offers.get(native_id), known.feed.offers.get(native_id)
    shipped = None if base is None else prices_of(base.offer)
    if before is None or before.prices is None or (base is not None and base.is_configured):
        return shipped
    return ListedPrices(**{**told(shipped), **told(before.prices)})


def _judged(entry: ListedOffer, known: Known, tells_prices: bool, believed: bool) -> _Judged:
    native_id = entry.native_id
    base, before = known.offers.get(native_id), known.feed.offers.get(native_id)
    if base is not None and base.is_configured:
        return _Judged(native_id)
    offer = _offer(entry, base, before, known)
    prices = _meant(entry)
    if not tells_prices or prices is None:
        return _with_prices(offer, None, base, before)
    why = _why_not(prices, offer, known) if believed else "anchors"
    if why is None:
        return _with_prices(offer, prices, base, before)
    kept = None if before is None else before.prices
    held = QuarantinedPrice(
        offer=replace(offer, prices=prices), old=_in_force(native_id, known), why=why
    )
    if not believed and not _differs(prices, _usual(native_id, known)):
        return _with_prices(offer, kept, base, before)
    return replace(_with_prices(offer, kept, base, before), quarantined=held)


def _why_not(prices: ListedPrices, offer: SyncedOffer, known: Known) -> Doubt | None:
    usual = _usual(offer.native_id, known)
    return doubt(prices, usual, None if offer.free else known.elsewhere(offer.model))


def _meant(entry: ListedOffer) -> ListedPrices | None:
    """The listed prices; what is told to cost nothing is unpriced unless it is called free.

    Searches are billed once, and those that have to be asked for are none of what is sold.
    """
    prices = entry.prices
    if prices is None:
        return None
    request, search = billed_once(
        entry.native_id, prices.request_picodollars, prices.search_picodollars
    )
    prices = replace(prices, request_picodollars=request, search_picodollars=search)
    if not entry.free and not prices.input_picodollars and not prices.output_picodollars:
        return None
    return prices


def _offer(
    entry: ListedOffer, base: KnownOffer | None, before: SyncedOffer | None, known: Known
) -> SyncedOffer:
    """The entry without its prices; what is known already is not told again."""
    free = entry.free and entry.prices is not None and not any(told(entry.prices).values())
    if base is not None:
        return SyncedOffer(
            model=base.model,
            native_id=entry.native_id,
            kind=base.kind,
            free=free,
            context_length=None if base.context_length else entry.context_length,
            max_output_tokens=None if base.max_output_tokens else entry.max_output_tokens,
        )
    model, kind = known.named(entry.native_id) if before is None else (before.model, before.kind)
    return SyncedOffer(
        model=model,
        native_id=entry.native_id,
        kind=kind or entry.kind or "chat",
        free=free,
        context_length=entry.context_length,
        max_output_tokens=entry.max_output_tokens,
        capabilities=entry.capabilities,
        inputs=entry.inputs,
        outputs=entry.outputs,
    )


def _with_prices(
    offer: SyncedOffer,
    prices: ListedPrices | None,
    base: KnownOffer | None,
    before: SyncedOffer | None,
) -> _Judged:
    """The offer at these prices, if that is anything new."""
    if base is not None and not _differs(prices, prices_of(base.offer)):
        prices = None
    if before is None and base is None and prices is None:
        return _Judged(offer.native_id, is_known=False)
    new = replace(offer, prices=prices)
    unsaid = SyncedOffer(model=new.model, native_id=new.native_id, kind=new.kind, free=new.free)
    is_news = new != before if before is not None else new != unsaid
    return _Judged(offer.native_id, new if is_news else None)


def _differs(prices: ListedPrices | None, known: ListedPrices | None) -> bool:
    usual = told(known)
    return any(price != usual.get(name, 0) for name, price in told(prices).items())


def _events(
    provider: str, judged: Sequence[_Judged], known: Known, entries: Mapping[str, ListedOffer]
) -> Iterator[Event]:
    feed = known.feed
    offers = [one.offer for one in judged if one.offer is not None]
    noticed = {offer.native_id for offer in offers} | feed.seen
    seen = [one.native_id for one in judged if one.is_known and one.native_id not in noticed]
    gone = sorted(feed.seen - entries.keys())
    held = {one.native_id: one.quarantined for one in judged if one.quarantined is not None}
    cleared = sorted(feed.quarantined.keys() - held.keys() - set(gone))
    most = max(len(offers), len(seen), len(gone), len(cleared))
    if not most and (feed.refused or feed.synced_at is None):
        yield OffersSynced(provider=provider)
    for at in range(0, most, PER_EVENT):
        yield OffersSynced(
            provider=provider,
            offers=tuple(offers[at : at + PER_EVENT]),
            seen=tuple(seen[at : at + PER_EVENT]),
            gone=tuple(gone[at : at + PER_EVENT]),
            cleared=tuple(cleared[at : at + PER_EVENT]),
        )
    for some in _parts([one for name, one in held.items() if feed.quarantined.get(name) != one]):
        yield PricesQuarantined(provider=provider, prices=some)


def _parts(values: Sequence[T]) -> Iterator[tuple[T, ...]]:
    return (tuple(values[at : at + PER_EVENT]) for at in range(0, len(values), PER_EVENT))
