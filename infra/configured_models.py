"""The models of the settings as the catalogue knows them, over what is known of them already."""

from dataclasses import replace
from typing import Any

from domain.catalog.catalogue import Model
from domain.catalog.events import PriceTier
from domain.catalog.offers import Offer
from domain.money import TokenPrice
from infra.settings import ModelSettings, OfferSettings
from infra.settings.offers import ApartSettings, TierSettings

APART = ("cache_read", "cache_write", "cache_write_1h", "input_audio", "reasoning", "output_audio")


def configured_model(name: str, settings: ModelSettings, known: Model | None) -> Model:
    """What is set takes the place of what is known; offers join the known ones, set ones first."""
    fields = settings.model_fields_set if known is not None else ModelSettings.model_fields.keys()
    told = {field: getattr(settings, field) for field in fields if field != "offers"}
    offers = tuple(_offer(offer) for offer in settings.offers)
    if known is None:
        return Model(id=name, offers=offers, **told)
    places = {(offer.provider, offer.native_id) for offer in offers}
    others = (one for one in known.offers if (one.provider, one.native_id) not in places)
    return replace(known, offers=(*offers, *others), **told)


def _offer(settings: OfferSettings) -> Offer:
    return Offer(
        provider=settings.provider,
        native_id=settings.native_id,
        input_picodollars=_picodollars(settings.input),
        output_picodollars=_picodollars(settings.output),
        request_picodollars=settings.request,
        search_picodollars=settings.search,
        tiers=tuple(_tier(tier) for tier in settings.tiers),
        **_apart(settings),
    )


def _tier(settings: TierSettings) -> PriceTier:
    return PriceTier(
        above_input_tokens=settings.above_input_tokens,
        input_picodollars=_picodollars(settings.input) or 0,
        output_picodollars=_picodollars(settings.output) or 0,
        **_apart(settings),
    )


def _apart(settings: ApartSettings) -> dict[str, Any]:
    return {f"{name}_picodollars": _picodollars(getattr(settings, name)) for name in APART}


def _picodollars(price: TokenPrice | None) -> int | None:
    return None if price is None else price.picodollars_per_token
