"""The catalogue: which models exist, who offers them at what price, and what a name resolves to.

An offer is sold only when its price is known (promise P9). Whatever is not sold stays loaded, is
not listed and cannot be called.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from domain.catalog.events import PriceBookPublished, PricedOffer
from domain.catalog.price_books import price_book
from domain.errors import InvalidRequest, NotFound
from domain.inference.events import Endpoint
from domain.money import TokenPrice

ModelKind = Literal["chat", "embedding", "image", "audio", "moderation"]
Strategy = Literal["price", "order"]

KIND_OF_ENDPOINT: Mapping[Endpoint, ModelKind] = {
    "/v1/chat/completions": "chat",
    "/v1/embeddings": "embedding",
    "/v1/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
}
# Longer names are cut before they are compared or shown; no model is called so.
MAX_NAME_LENGTH = 120


class InvalidCatalogue(ValueError):
    """The models and aliases contradict each other; `problems` lists every contradiction."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model at a provider, at a price per token; an unknown price is None."""

    provider: str
    native_id: str
    input: TokenPrice | None = None
    output: TokenPrice | None = None


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model and its offers in the order listed; lengths are in tokens, None when unknown.

    `free` confirms that a price of zero is meant.
    """

    id: str
    offers: tuple[Offer, ...]
    kind: ModelKind = "chat"
    context_length: int | None = None
    max_output_tokens: int | None = None
    free: bool = False
    capabilities: frozenset[str] = frozenset()

    def price(self, offer: Offer) -> PricedOffer | None:
        """What `offer` costs, or None when it is not for sale.

        Embeddings put out no tokens, so that their output needs no price.
        """
        prices = (offer.input,) if self.kind == "embedding" else (offer.input, offer.output)
        if not all(self._is_meant(price) for price in prices):
            return None
        return PricedOffer(
            model=self.id,
            provider=offer.provider,
            native_id=offer.native_id,
            input_picodollars=_per_token(offer.input),
            output_picodollars=_per_token(offer.output),
        )

    @cached_property
    def price_book(self) -> PriceBookPublished:
        """What its offers cost, those of disabled providers too."""
        return price_book(_priced(self))

    @property
    def is_served(self) -> bool:
        """Whether there is an endpoint for its kind."""
        return self.kind in KIND_OF_ENDPOINT.values()

    def _is_meant(self, price: TokenPrice | None) -> bool:
        return price is not None and (self.free or price.picodollars_per_token > 0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A canonical model and its callable offers, the first choice first."""

    model: Model
    offers: tuple[PricedOffer, ...]

    @property
    def is_callable(self) -> bool:
        return bool(self.offers) and self.model.is_served


class Catalogue:
    """Immutable; built anew when the configuration changes.

    `providers` names the enabled ones. Strategy "price" puts the offer first whose input and
    output token together cost least, "order" keeps the order listed.
    """

    def __init__(
        self,
        models: Iterable[Model],
        aliases: Mapping[str, str] | None = None,
        *,
        providers: Iterable[str],
        strategy: Strategy = "price",
    ) -> None:
        """Raises `InvalidCatalogue` on names used twice and aliases that lead nowhere."""
        self.models = tuple(models)
        self.aliases = dict(aliases or {})
        self._enabled = frozenset(providers)
        if problems := tuple(_problems(self.models, self.aliases)):
            raise InvalidCatalogue(problems)
        resolved = {model.id: self._resolved(model, strategy) for model in self.models}
        self._by_name = resolved | {
            alias: resolved[model_id] for alias, model_id in self.aliases.items()
        }

    def resolve(self, requested: str, endpoint: Endpoint) -> Resolved:
        """The model that `requested` names and the offers that may serve `endpoint`.

        Raises `NotFound` (`model_not_found`) when it is unknown or not for sale, and
        `InvalidRequest` when it is of another kind than the endpoint serves.
        """
        resolved = self._by_name.get(requested)
        if resolved is None:
            raise _not_found(f"does not exist{self._suggestion(requested)}", requested)
        wanted = KIND_OF_ENDPOINT[endpoint]
        if resolved.model.kind != wanted:
            raise InvalidRequest(
                f"the model {resolved.model.id!r} is of kind {resolved.model.kind!r}; "
                f"{endpoint} serves kind {wanted!r}",
                code="model_not_supported",
                param="model",
            )
        if not resolved.offers:
            raise _not_found(self._why_not_sold(resolved.model), requested)
        return resolved

    def listed(self) -> tuple[Resolved, ...]:
        """Every model that can be called, in the order listed."""
        every = (self._by_name[model.id] for model in self.models)
        return tuple(resolved for resolved in every if resolved.is_callable)

    def unserved(self) -> tuple[Model, ...]:
        """Models of a kind that no endpoint serves."""
        return tuple(model for model in self.models if not model.is_served)

    def priced_offers(self) -> tuple[PricedOffer, ...]:
        """Every offer with a price, of disabled providers too."""
        return tuple(priced for model in self.models for priced in _priced(model))

    def unpriced_offers(self) -> tuple[tuple[Model, Offer], ...]:
        """What is loaded and not for sale."""
        return tuple(
            (model, offer)
            for model in self.models
            for offer in model.offers
            if model.price(offer) is None
        )

    def _resolved(self, model: Model, strategy: Strategy) -> Resolved:
        offers = [priced for priced in _priced(model) if priced.provider in self._enabled]
        if strategy == "price":
            offers.sort(key=lambda priced: priced.input_picodollars + priced.output_picodollars)
        return Resolved(model, tuple(offers))

    def _why_not_sold(self, model: Model) -> str:
        if any(_priced(model)):
            return "is offered by no enabled provider"
        return "has no price and cannot be called"

    def _suggestion(self, requested: str) -> str:
        names = [name for name, resolved in self._by_name.items() if resolved.is_callable]
        close = get_close_matches(requested[:MAX_NAME_LENGTH], names, n=3, cutoff=0.5)
        return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _priced(model: Model) -> Iterator[PricedOffer]:
    return (priced for offer in model.offers if (priced := model.price(offer)) is not None)


def _per_token(price: TokenPrice | None) -> int:
    return price.picodollars_per_token if price else 0


def _not_found(why: str, requested: str) -> NotFound:
    message = f"the model {requested[:MAX_NAME_LENGTH]!r} {why}"
    return NotFound(message, code="model_not_found", param="model")


def _problems(models: tuple[Model, ...], aliases: Mapping[str, str]) -> Iterator[str]:
    ids = Counter(model.id for model in models)
    yield from (f"the model {name!r} stands twice" for name, count in ids.items() if count > 1)
    for model in models:
        offers = Counter((offer.provider, offer.native_id) for offer in model.offers)
        for (provider, native_id), count in offers.items():
            if count > 1:
                yield f"{model.id!r}: the offer {native_id!r} of {provider!r} stands twice"
    for alias, model_id in aliases.items():
        if alias in ids:
            yield f"the alias {alias!r} is the name of a model"
        if model_id not in ids:
            yield f"the alias {alias!r} leads to {model_id!r}, which does not exist"
