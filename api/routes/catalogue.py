"""The operator's routes for what providers' lists tell: syncs, quarantine, and what is delisted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter

from api.auth import Abreast, Caller, Ports, require
from api.bodies import OfferBody, ReleaseBody, SyncBody
from api.paging import KnownParameters, SliceQuery
from api.ports import ApiPorts
from domain.catalog.events import (
    ListedPrices,
    OfferDelisted,
    OfferRelisted,
    QuarantinedPrice,
    SyncedOffer,
)
from domain.catalog.feeds import Feed, stream_of
from domain.catalog.judging import BY_USE, told
from domain.catalog.sync import decide_release
from domain.errors import Conflict, NotFound, VersionConflict
from domain.event import Event
from domain.ids import HOUSE_ACCOUNT
from domain.inference.view import seconds
from domain.money import TokenPrice, picodollars_to_usd
from domain.ports.event_store import Append, StreamWrite

Admin = Annotated[Caller, require("admin")]
router = APIRouter(
    prefix="/admin", tags=["Admin"], dependencies=[require("admin"), KnownParameters, Abreast]
)
# A change of a provider whose list is synced at the same moment is tried so often.
TRIES = 5


@router.post("/catalogue/sync")
async def sync_catalogue(body: SyncBody, caller: Admin, ports: Ports) -> dict[str, Any]:
    """Reads providers' own lists of models now: of one provider, or of all."""
    desk, origin = ports.desk, caller.origin(HOUSE_ACCOUNT)
    wanted = desk.syncing.providers if body.provider is None else [body.provider]
    outcomes = await asyncio.gather(
        *(desk.syncing.sync(name, origin, accept_fewer=body.accept_fewer) for name in wanted)
    )
    await desk.on_sale.settled()
    data = [{"object": "catalogue_sync", **asdict(outcome)} for outcome in outcomes]
    return {"object": "list", "data": data}


@router.get("/catalogue/feeds")
async def list_feeds(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The providers whose lists were read: when one last told something, or why it was refused."""
    return part.of([_feed_object(name, feed) for name, feed in ports.desk.feeds])


@router.get("/catalogue/quarantine")
async def list_quarantine(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """Prices that were not believed, with those that are in force meanwhile."""
    return part.of(
        [
            _quarantined_object(provider, held)
            for provider, feed in ports.desk.feeds
            for _, held in sorted(feed.quarantined.items())
        ]
    )


@router.post("/catalogue/release")
async def release_prices(body: ReleaseBody, caller: Admin, ports: Ports) -> dict[str, Any]:
    """Vouches for prices in quarantine: they are in force from now on."""

    def decide(feed: Feed) -> Sequence[Event]:
        return decide_release(body.provider, body.native_id, body.reason, feed.quarantined)

    released = await _changed(ports, caller, body.provider, decide)
    offers = [offer for event in released for offer in getattr(event, "offers", ())]
    data = [_released_object(body.provider, offer) for offer in offers]
    return {"object": "list", "data": data}


@router.get("/offers/delisted")
async def list_delisted(ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The offers that the operator took off sale."""
    return part.of(
        [
            _delisted_object(provider, native_id, feed)
            for provider, feed in ports.desk.feeds
            for native_id in sorted(feed.delisted)
        ]
    )


@router.post("/offers/delist")
async def delist_offer(body: OfferBody, caller: Admin, ports: Ports) -> dict[str, Any]:
    """Takes an offer off sale, whatever the provider's list says from now on."""

    def decide(feed: Feed) -> Sequence[Event]:
        if body.native_id in feed.delisted:
            return ()
        if not _is_offered(ports, body):
            raise NotFound(f"{body.provider[:80]!r} offers no {body.native_id[:80]!r}")
        return (OfferDelisted(**body.model_dump()),)

    await _changed(ports, caller, body.provider, decide)
    return _delisted_object(body.provider, body.native_id, ports.desk.feeds[body.provider])


@router.post("/offers/relist")
async def relist_offer(body: OfferBody, caller: Admin, ports: Ports) -> dict[str, Any]:
    """Lets an offer be sold again."""

    def decide(feed: Feed) -> Sequence[Event]:
        if body.native_id not in feed.delisted:
            raise NotFound(f"{body.native_id[:80]!r} of {body.provider[:80]!r} is not delisted")
        return (OfferRelisted(**body.model_dump()),)

    await _changed(ports, caller, body.provider, decide)
    return _delisted_object(body.provider, body.native_id, ports.desk.feeds[body.provider])


async def _changed(
    ports: ApiPorts, caller: Caller, provider: str, decide: Callable[[Feed], Sequence[Event]]
) -> Sequence[Event]:
    """Records what is decided on the feed as it is; returns once it is in force here."""
    desk, stream = ports.desk, stream_of(provider)
    for _ in range(TRIES):
        feed = desk.feeds[provider]
        events = tuple(decide(feed))
        if not events:
            return ()
        write = StreamWrite(stream, feed.version, events)
        try:
            recorded = await ports.store.append(Append(caller.origin(HOUSE_ACCOUNT), (write,)))
        except VersionConflict:
            await ports.abreast()
            continue
        await desk.settled(recorded[-1].position)
        return events
    raise Conflict("the provider's list changed again and again meanwhile")


def _is_offered(ports: ApiPorts, body: OfferBody) -> bool:
    return any(
        (offer.provider, offer.native_id) == (body.provider, body.native_id)
        for model in ports.catalogue.models
        for offer in model.offers
    )


def _feed_object(provider: str, feed: Feed) -> dict[str, Any]:
    return {
        "id": provider,
        "object": "catalogue_feed",
        "changed_at": None if feed.synced_at is None else seconds(feed.synced_at),
        "refused": feed.refused,
        "listed": len(feed.seen),
        "gone": len(feed.gone),
        "quarantined": len(feed.quarantined),
        "delisted": len(feed.delisted),
    }


def _quarantined_object(provider: str, held: QuarantinedPrice) -> dict[str, Any]:
    return {
        "id": f"{provider}:{held.offer.native_id}",
        "object": "quarantined_price",
        "provider": provider,
        "native_id": held.offer.native_id,
        "model": held.offer.model,
        "why": held.why,
        "in_force": _prices_object(held.old),
        "listed": _prices_object(held.offer.prices),
    }


def _released_object(provider: str, offer: SyncedOffer) -> dict[str, Any]:
    return {
        "id": f"{provider}:{offer.native_id}",
        "object": "released_price",
        "model": offer.model,
        "prices": _prices_object(offer.prices),
    }


def _delisted_object(provider: str, native_id: str, feed: Feed) -> dict[str, Any]:
    delisting = feed.delisted.get(native_id)
    return {
        "id": f"{provider}:{native_id}",
        "object": "delisting",
        "provider": provider,
        "native_id": native_id,
        "delisted": delisting is not None,
        "reason": None if delisting is None else delisting.reason,
        "at": None if delisting is None else seconds(delisting.at),
    }


def _prices_object(prices: ListedPrices | None) -> dict[str, str] | None:
    """USD per million tokens, per request and per search, by what is priced."""
    if prices is None:
        return None
    return {
        name.removesuffix("_picodollars"): picodollars_to_usd(price)
        if name in BY_USE
        else TokenPrice(price).usd_per_million()
        for name, price in told(prices).items()
    }
