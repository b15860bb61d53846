"""What is known of a provider's offers without its list, to hold the list against."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from domain.catalog.catalogue import Model
from domain.catalog.events import ModelKind
from domain.catalog.feeds import Feed, Feeds
from domain.catalog.listing import Known, KnownOffer, Spread
from domain.catalog.overlay import overlaid
from infra.model_data.loading import known_aliases
from infra.model_data.naming import Names
from infra.model_data.spelling import fresh_names
from infra.offers import base_models
from infra.settings import Settings


class KnownOffers:
    """The models that are shipped and set, with what providers' lists told of them so far."""

    def __init__(self, settings: Settings, feeds: Feeds) -> None:
        self._settings, self._feeds = settings, feeds

    async def of(self, provider: str) -> Known:
        """What is known now; put together beside the event loop."""
        feeds, feed = self._feeds.copied(), self._feeds[provider].copied()
        return await asyncio.to_thread(self._of, provider, feeds, feed)

    def _of(self, provider: str, feeds: Mapping[str, Feed], feed: Feed) -> Known:
        models = overlaid(self._base, feeds, self._aliases)
        return Known(
            dict(_offers_of(provider, self._base)),
            feed,
            _Namer(provider, models, self._aliases).named,
            _elsewhere(provider, models),
        )

    @cached_property
    def _base(self) -> tuple[Model, ...]:
        return base_models(self._settings)

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return {**known_aliases(), **self._settings.aliases}


class _Namer:
    """Says which model a provider's new id is of; names are put together when first needed."""

    def __init__(
        self, provider: str, models: tuple[Model, ...], aliases: Mapping[str, str]
    ) -> None:
        self._provider, self._models, self._aliases = provider, models, aliases

    def named(self, native_id: str) -> tuple[str, ModelKind | None]:
        name = self._names.canonical(self._provider, native_id)
        name = self._aliases.get(name, name)
        return name, self._kinds.get(name)

    @cached_property
    def _kinds(self) -> Mapping[str, ModelKind]:
        return {model.id: model.kind for model in self._models}

    @cached_property
    def _names(self) -> Names:
        names = fresh_names()
        for model in self._models:
            names.know(model.id)
        return names


def _offers_of(provider: str, models: tuple[Model, ...]) -> Iterator[tuple[str, KnownOffer]]:
    for model in models:
        for offer in model.offers:
            if offer.provider == provider:
                yield (
                    offer.native_id,
                    KnownOffer(
                        model.id,
                        model.kind,
                        offer,
                        offer.context_length or model.context_length,
                        offer.max_output_tokens or model.max_output_tokens,
                    ),
                )


def _elsewhere(provider: str, models: tuple[Model, ...]) -> Callable[[str], Spread | None]:
    prices: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for model in models:
        for offer in model.offers:
            if offer.provider != provider and offer.input_picodollars:
                prices[model.id].append((offer.input_picodollars, offer.output_picodollars or 0))

    def spread(model_id: str) -> Spread | None:
        found = prices.get(model_id)
        if not found:
            return None
        inputs, outputs = zip(*found, strict=True)
        return Spread((min(inputs), max(inputs)), (min(outputs), max(outputs)))

    return spread
