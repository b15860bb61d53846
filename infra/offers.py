"""What the settings offer for sale: the catalogue, and an adapter for each usable provider."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from adapters.providers.simulator import Simulator
from domain.catalog.catalogue import Catalogue, Model, Offer
from domain.ports.clock import Clock
from domain.ports.provider import Provider
from infra.providers.wires import build_wire
from infra.settings import ModelSettings, OfferSettings, ProviderSettings, Settings


def build_catalogue(settings: Settings) -> Catalogue:
    """The catalogue of the settings. Raises `InvalidCatalogue`."""
    return Catalogue(
        (_model(name, model) for name, model in settings.models.items()),
        settings.aliases,
        providers=settings.usable_providers,
        strategy="order" if settings.routing.strategy == "order" else "price",
    )


def build_providers(
    settings: Settings, session: HttpSession, clock: Clock
) -> Mapping[str, Provider]:
    """An adapter for each usable provider, by its name."""
    return {
        name: _provider(provider, settings, session, clock)
        for name, provider in settings.usable_providers.items()
    }


def provider_objects(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """The providers as the operator sees them; no credential is in it."""
    return [
        {
            "id": name,
            "object": "provider",
            "protocol": provider.protocol,
            "base_url": provider.shown_address,
            "enabled": provider.is_usable,
            "disabled_because": provider.why_unusable,
        }
        for name, provider in settings.providers.items()
    ]


def _provider(
    provider: ProviderSettings, settings: Settings, session: HttpSession, clock: Clock
) -> Provider:
    if provider.protocol == "simulator":
        simulated = settings.simulator
        return Simulator(clock, latency_seconds=simulated.latency, fault_rate=simulated.fault_rate)
    return HttpProvider(session, build_wire(provider))


def _model(name: str, model: ModelSettings) -> Model:
    return Model(
        id=name,
        kind=model.kind,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        free=model.free,
        capabilities=frozenset(model.capabilities),
        offers=tuple(_offer(offer) for offer in model.offers),
    )


def _offer(offer: OfferSettings) -> Offer:
    return Offer(
        provider=offer.provider,
        native_id=offer.native_id,
        input=offer.input,
        output=offer.output,
    )
