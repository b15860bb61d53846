"""Models and their offers as customers see them: OpenAI's four fields, and ours beside them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.access.provider_keys.directory import OwnKeys
from domain.access.provider_keys.ways import keys_at
from domain.catalog.catalogue import Catalogue, Model, Resolved
from domain.catalog.events import PriceTier
from domain.catalog.offers import Offer, OtherPrice
from domain.money import TokenPrice
from domain.money import picodollars_to_usd as usd

BY_TOKEN = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "input_audio"),
    *("reasoning", "output_audio", "input_image", "output_image", "batch_input", "batch_output"),
)
# What offers that go under an account's own keys are marked with, by provider.
Marks = Mapping[str, Mapping[str, Any]]
NO_MARKS: Marks = {}


def marks_of(catalogue: Catalogue, own_keys: OwnKeys) -> Marks:
    """What tells which offers go under which of these keys, and where the house's may follow."""
    return {
        provider: _mark(keys_at(key, is_sold=catalogue.enables(provider)))
        for provider, key in own_keys.items()
    }


def model_object(model: Model, offers: list[dict[str, Any]]) -> dict[str, Any]:
    """One row a model: who serves it, and which of them costs least."""
    providers = list(dict.fromkeys(offer["provider"] for offer in offers))
    return {
        **_described(model.id, model),
        "offers": offers,
        "providers": providers,
        "provider_count": len(providers),
        "cheapest": _cheapest(offers),
    }


def hosted_object(model: Model, offer: dict[str, Any]) -> dict[str, Any]:
    """One row an offer. Its id can be called too, and pins the provider."""
    described = _described(f"{offer['provider']}:{offer['native_id']}", model)
    return {**described, "model": model.id, **offer}


def offer_objects(
    resolved: Resolved, *, every: bool, marks: Marks = NO_MARKS
) -> list[dict[str, Any]]:
    """The offers of a model, the first choice first; with `every` those of other providers too.

    Those under own keys, which `marks` are of, come first, as they are asked first.
    """
    model = resolved.model
    by_place = {(offer.provider, offer.native_id): offer for offer in model.offers}
    on_sale = resolved.offers if resolved.is_callable else ()
    callable_ = [(offer.provider, offer.native_id) for offer in on_sale]
    if marks:
        callable_.sort(key=lambda place: place[0] not in marks)
    shown = [
        {**offer_object(model, by_place[place]), **marks.get(place[0], {})} for place in callable_
    ]
    if not every:
        return shown
    rest = (offer for place, offer in by_place.items() if place not in set(callable_))
    others = [{**offer_object(model, one), "available": False} for one in rest if _is_sold(one)]
    return [*({**one, "available": True} for one in shown), *others]


def offer_object(model: Model, offer: Offer) -> dict[str, Any]:
    """What an offer costs, takes and can do; a price left out is that of the input or output."""
    optional = {
        **_prices(offer),
        "request_usd": usd(offer.request_picodollars) if offer.request_picodollars else None,
        "search_usd": usd(offer.search_picodollars) if offer.search_picodollars else None,
        "tiers": [_tier_object(tier) for tier in offer.tiers],
        "per_unit": [{"unit": one.unit, "usd": usd(one.picodollars)} for one in offer.per_unit],
        "deprecated": offer.deprecated,
        "as_of": offer.as_of,
        "disputed": [_other_object(other) for other in offer.disputed],
    }
    return {
        "provider": offer.provider,
        "native_id": offer.native_id,
        **{name: value for name, value in optional.items() if value not in (None, False, [])},
        "context_length": offer.context_length or model.context_length,
        "max_output_tokens": offer.max_output_tokens or model.max_output_tokens,
        "capabilities": sorted(
            model.capabilities if offer.capabilities is None else offer.capabilities
        ),
        "source": offer.source,
    }


def _mark(keys: tuple[str | None, ...]) -> Mapping[str, Any]:
    marked = {"own_key": keys[0]}
    return {**marked, "own_key_fallback": True} if None in keys else marked


def _cheapest(offers: list[dict[str, Any]]) -> str | None:
    """Who asks least for an input and an output token together, of those that can be called."""
    prices = [
        (Decimal(price) + Decimal(offer.get("output_usd_per_million", 0)), index)
        for index, offer in enumerate(offers)
        if (price := offer.get("input_usd_per_million")) and offer.get("available", True)
    ]
    return offers[min(prices)[1]]["provider"] if prices else None


def _described(row_id: str, model: Model) -> dict[str, Any]:
    return {
        "id": row_id,
        "object": "model",
        "created": 0,
        "owned_by": model.id.partition("/")[0],
        "kind": model.kind,
        "context_length": model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "modalities": {"input": list(model.inputs), "output": list(model.outputs)},
        "capabilities": sorted(model.capabilities),
    }


def _prices(priced: Offer | PriceTier | OtherPrice) -> dict[str, str]:
    found = ((name, getattr(priced, f"{name}_picodollars", None)) for name in BY_TOKEN)
    return {
        f"{name}_usd_per_million": TokenPrice(price).usd_per_million()
        for name, price in found
        if price is not None
    }


def _tier_object(tier: PriceTier) -> dict[str, Any]:
    return {"above_input_tokens": tier.above_input_tokens, **_prices(tier)}


def _other_object(other: OtherPrice) -> dict[str, Any]:
    return {"source": other.source, **_prices(other)}


def _is_sold(offer: Offer) -> bool:
    """Whether it has any price: without one it is neither sold nor shown (promise P9)."""
    return offer.input_picodollars is not None or bool(offer.per_unit)
