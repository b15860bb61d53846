"""Models with what providers' lists say of them, less what the operator took off sale."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from domain.catalog.catalogue import Model
from domain.catalog.events import PriceTier, SyncedOffer
from domain.catalog.feeds import NO_FEED, Feed
from domain.catalog.offers import CONFIGURED, Offer
from domain.catalog.searching import billed_once

LISTED = "provider list"


def overlaid(
    models: Iterable[Model], feeds: Mapping[str, Feed], aliases: Mapping[str, str]
) -> tuple[Model, ...]:
    """The models as they are sold.

    An offer of the configuration stays as it is set unless it is delisted. A listed offer joins
    the model that its name, or the alias of it, is of; a name of nobody's makes a new one.
    """
    if not feeds:
        return tuple(models)
    given = {model.id: model for model in models}
    known = {(one.provider, one.native_id) for model in given.values() for one in model.offers}
    joined: dict[str, list[tuple[str, SyncedOffer]]] = {}
    for provider, feed in feeds.items():
        for offer in feed.offers.values():
            if (provider, offer.native_id) not in known and offer.native_id not in feed.delisted:
                name = aliases.get(offer.model, offer.model)
                joined.setdefault(name, []).append((provider, offer))
    sold = [_sold(model, feeds, joined.pop(name, ())) for name, model in given.items()]
    return (*sold, *(_made(name, offers, feeds) for name, offers in joined.items()))


def listed_offer(base: Offer, told: SyncedOffer, day: str | None) -> Offer:
    """What is known of an offer with what the list tells, whose prices win."""
    filled = replace(
        base,
        context_length=base.context_length or told.context_length,
        max_output_tokens=base.max_output_tokens or told.max_output_tokens,
        capabilities=told.capabilities if base.capabilities is None else base.capabilities,
    )
    if told.prices is None:
        return filled
    prices = {name: price for name, price in asdict(told.prices).items() if price is not None}
    priced = replace(filled, **prices, source=LISTED, as_of=day, disputed=())
    request, search = billed_once(
        base.native_id, priced.request_picodollars, priced.search_picodollars
    )
    return replace(
        priced,
        request_picodollars=request or 0,
        search_picodollars=search,
        tiers=tuple(_raised(tier, priced) for tier in base.tiers),
    )


def _raised(tier: PriceTier, offer: Offer) -> PriceTier:
    """Lists tell nothing of long inputs: they cost no less than others."""
    return replace(
        tier,
        input_picodollars=max(tier.input_picodollars, offer.input_picodollars or 0),
        output_picodollars=max(tier.output_picodollars, offer.output_picodollars or 0),
    )


def _sold(
    model: Model, feeds: Mapping[str, Feed], joined: Collection[tuple[str, SyncedOffer]]
) -> Model:
    offers = tuple(_kept(model, feeds))
    if not joined and offers == model.offers:
        return model
    return replace(model, offers=(*offers, *_fresh(joined, feeds)))


def _kept(model: Model, feeds: Mapping[str, Feed]) -> Iterator[Offer]:
    for offer in model.offers:
        feed = feeds.get(offer.provider, NO_FEED)
        if offer.native_id in feed.delisted:
            continue
        if offer.source == CONFIGURED:
            yield offer
        elif offer.native_id not in feed.gone:
            told = feed.offers.get(offer.native_id)
            day = feed.days.get(offer.native_id)
            yield offer if told is None else listed_offer(offer, told, day)


def _fresh(joined: Iterable[tuple[str, SyncedOffer]], feeds: Mapping[str, Feed]) -> Iterator[Offer]:
    for provider, told in joined:
        base = Offer(provider=provider, native_id=told.native_id, source=LISTED)
        yield listed_offer(base, told, feeds[provider].days.get(told.native_id))


def _made(
    name: str, joined: Collection[tuple[str, SyncedOffer]], feeds: Mapping[str, Feed]
) -> Model:
    """A model that only lists know. It is free when every list that has it says so."""
    (_, first), *_ = joined
    return Model(
        id=name,
        offers=tuple(_fresh(joined, feeds)),
        kind=first.kind,
        context_length=max((one.context_length or 0 for _, one in joined), default=0) or None,
        max_output_tokens=max((one.max_output_tokens or 0 for _, one in joined), default=0) or None,
        free=all(one.free for _, one in joined),
        capabilities=first.capabilities or (),
        inputs=first.inputs or ("text",),
        outputs=first.outputs or ("text",),
    )
