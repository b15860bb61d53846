"""What the settings offer for sale: the catalogue, and an adapter for each usable provider."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.providers.http import HttpProvider
from adapters.providers.own_timeouts import OwnTimeouts, Thinking, TimedProvider
from adapters.providers.session import HttpSession
from adapters.providers.simulator import Simulator
from domain.catalog.catalogue import Catalogue, Model
from domain.catalog.feeds import Feed
from domain.catalog.overlay import overlaid
from domain.ports.clock import Clock
from domain.ports.provider import Provider
from infra.configured_models import configured_model
from infra.model_data.loading import known_aliases, known_makers, known_models
from infra.providers.wires import build_wire
from infra.settings import ProviderSettings, Settings

NO_FEEDS: Mapping[str, Feed] = {}


def build_catalogue(settings: Settings, feeds: Mapping[str, Feed] = NO_FEEDS) -> Catalogue:
    """The catalogue of what is known, of the settings and of what providers' lists told.

    Raises `InvalidCatalogue`.
    """
    aliases = {**known_aliases(), **settings.aliases}
    models = {one.id: one for one in overlaid(base_models(settings), feeds, aliases)}
    usual = {
        alias: name
        for alias, name in known_aliases().items()
        if name in models and alias not in models
    }
    return Catalogue(
        models.values(),
        {**usual, **settings.aliases},
        providers=settings.usable_providers,
        strategy="order" if settings.routing.strategy == "order" else "price",
        makers=known_makers(),
    )


def base_models(settings: Settings) -> tuple[Model, ...]:
    """What is known of models without the lists of providers; what is set comes first."""
    known = {model.id: model for model in known_models()}
    configured = {
        name: configured_model(name, model, known.get(name))
        for name, model in settings.models.items()
    }
    return (*configured.values(), *(one for name, one in known.items() if name not in configured))


def build_providers(
    settings: Settings, session: HttpSession, clock: Clock
) -> Mapping[str, Provider]:
    """An adapter for each usable provider, by its name."""
    return {
        name: build_provider(provider, settings, session, clock)
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


def build_provider(
    provider: ProviderSettings, settings: Settings, session: HttpSession, clock: Clock
) -> Provider:
    """The adapter of one usable provider."""
    if provider.protocol == "simulator":
        simulated = settings.simulator
        return Simulator(clock, latency_seconds=simulated.latency, fault_rate=simulated.fault_rate)
    adapter = HttpProvider(session, build_wire(provider))
    thinking = Thinking(_silent_models(provider), settings.attempts.thinking_timeout)
    own = provider.timeouts
    if own is None and not thinking.patterns:
        return adapter
    return TimedProvider(adapter, thinking, OwnTimeouts(**(own.model_dump() if own else {})))


def _silent_models(provider: ProviderSettings) -> tuple[str, ...]:
    facts = provider.facts
    return () if facts is None else facts.silent
