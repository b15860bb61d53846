"""The catalogue: which models exist, who offers them at what price, and what a name resolves to.

An offer is sold only when its price is known (promise P9). Whatever is not sold stays loaded, is
not listed and cannot be called.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from domain.catalog.candidacy import candidates_of
from domain.catalog.events import ModelKind, PriceBookPublished, PricedOffer
from domain.catalog.names import Named, Names
from domain.catalog.offers import Offer
from domain.catalog.price_books import price_book
from domain.catalog.suggestions import Suggestions
from domain.errors import InvalidRequest, NotFound
from domain.inference.events import Endpoint
from domain.rating.ceilings import Ceiling
from domain.routing.candidates import Candidate

Strategy = Literal["price", "order"]

KIND_OF_ENDPOINT: Mapping[Endpoint, ModelKind] = {
    "/v1/chat/completions": "chat",
    "/v1/embeddings": "embedding",
    "/v1/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
}
_SERVED = frozenset(KIND_OF_ENDPOINT.values())
# Longer names are cut before they are compared or shown; no model is called so.
MAX_NAME_LENGTH = 120
_NOBODY: frozenset[str] = frozenset()

T = TypeVar("T")


class InvalidCatalogue(ValueError):
    """The models and aliases contradict each other; `problems` lists every contradiction."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and its offers in the order listed; lengths are in tokens, None when unknown.

    `free` confirms that a price of zero is meant. `inputs` and `outputs` are modalities.
    """

    id: str
    offers: tuple[Offer, ...]
    kind: ModelKind = "chat"
    context_length: int | None = None
    max_output_tokens: int | None = None
    free: bool = False
    capabilities: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)

    def price(self, offer: Offer) -> PricedOffer | None:
        """What `offer` costs, or None when it is not for sale.

        Embeddings put out no tokens, so that their output needs no price.
        """
        if offer.unsold_because is not None:
            return None
        prices = [offer.input_picodollars, offer.output_picodollars]
        meant = all(map(self._is_meant, prices[:1] if self.kind == "embedding" else prices))
        return offer.priced(self.id) if meant else None

    @property
    def is_served(self) -> bool:
        """Whether there is an endpoint for its kind."""
        return self.kind in _SERVED

    def _is_meant(self, price: int | None) -> bool:
        return price is not None and (self.free or price > 0)


@dataclass(frozen=True)
class Resolved:
    """A canonical model and its callable offers, the first choice first.

    `pinned` is the provider that the request named; only its offers are among them then.
    """

    model: Model
    offers: tuple[PricedOffer, ...]
    pinned: str | None = None

    @cached_property
    def is_callable(self) -> bool:
        return bool(self.offers) and self.model.is_served

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The offers, for routing to choose from."""
        model = self.model
        return candidates_of(self.offers, model.offers, model.capabilities, model.context_length)

    @cached_property
    def ceilings(self) -> Mapping[tuple[str, str], Ceiling]:
        """What each offer can cost, by its provider and native id."""
        return {(offer.provider, offer.native_id): Ceiling(offer) for offer in self.offers}

    def at(self, named: Named) -> "Resolved":
        """The same with the offers that a pin leaves."""
        if named.provider is None:
            return self
        kept = (
            offer
            for offer in self.offers
            if offer.provider.lower() == named.provider
            and named.native_id in (None, offer.native_id)
        )
        return Resolved(self.model, tuple(kept), named.provider)


class Catalogue:
    """Immutable; built anew when the configuration changes.

    `providers` names the enabled ones, `makers` other spellings of the first half of a model's
    id. Strategy "price" puts the offer first whose input and output token together cost least,
    "order" keeps the order listed; what is on its way out comes last.
    """

    def __init__(
        self,
        models: Iterable[Model],
        aliases: Mapping[str, str] | None = None,
        *,
        providers: Iterable[str],
        strategy: Strategy = "price",
        makers: Mapping[str, str] | None = None,
    ) -> None:
        """Raises `InvalidCatalogue` on names used twice and aliases that lead nowhere."""
        self.models = tuple(models)
        self.aliases = dict(aliases or {})
        self._enabled = frozenset(providers)
        self._strategy: Strategy = strategy
        if problems := tuple(_problems(self.models, self.aliases)):
            raise InvalidCatalogue(problems)
        self._resolved = {model.id: self._sold(model, self._enabled) for model in self.models}
        self._by_name = self._resolved | {
            alias: self._resolved[model_id] for alias, model_id in self.aliases.items()
        }
        self._names = Names(self.models, self.aliases, makers or {})
        self._books: dict[str, PriceBookPublished] = {}

    def enables(self, provider: str) -> bool:
        """Whether the house itself sells what this provider offers."""
        return provider in self._enabled

    def resolve(
        self, requested: str, endpoint: Endpoint, also: frozenset[str] = _NOBODY
    ) -> Resolved:
        """The model that `requested` names and the offers that may serve `endpoint`.

        The offers of the providers `also` are among them, though the house does not sell them.
        Raises `NotFound` (`model_not_found`) when it is unknown or not for sale, and
        `InvalidRequest` when it is of another kind than the endpoint serves.
        """
        resolved = self.find(requested, also)
        wanted = KIND_OF_ENDPOINT[endpoint]
        if resolved.model.kind != wanted:
            raise InvalidRequest(
                f"the model {resolved.model.id!r} is of kind {resolved.model.kind!r}; "
                f"{endpoint} serves kind {wanted!r}",
                code="model_not_supported",
                param="model",
            )
        return self._sellable(resolved, requested)

    def on_sale(self, requested: str, also: frozenset[str] = _NOBODY) -> Resolved:
        """As `resolve`, for whichever endpoint serves the model."""
        return self._sellable(self.find(requested, also), requested)

    def find(self, requested: str, also: frozenset[str] = _NOBODY) -> Resolved:
        """The model that `requested` names, on sale or not. Raises `NotFound`."""
        resolved = self._by_name.get(requested)
        if resolved is not None:
            return self._widened(resolved, also)
        resolved = self._meant(requested, also)
        if resolved is None:
            raise _not_found(f"does not exist{self._suggestion(requested)}", requested)
        return resolved

    def price_book(self, model: Model) -> PriceBookPublished:
        """What the model costs at the enabled providers, in whatever order they stand."""
        book = self._books.get(model.id)
        if book is None:
            book = self._books[model.id] = price_book(self._resolved[model.id].offers)
        return book

    def listed(self) -> tuple[Resolved, ...]:
        """Every model that can be called, in the order listed."""
        return tuple(resolved for resolved in self.every() if resolved.is_callable)

    def every(self) -> tuple[Resolved, ...]:
        """Every model that is known, in the order listed."""
        return tuple(self._resolved.values())

    def unserved(self) -> tuple[Model, ...]:
        """Models of a kind that no endpoint serves and that an enabled provider offers."""
        return tuple(
            model
            for model in self.models
            if not model.is_served and any(one.provider in self._enabled for one in model.offers)
        )

    def unpriced_offers(self) -> tuple[tuple[Model, Offer], ...]:
        """What is loaded and not for sale."""
        return tuple(
            (model, offer)
            for model in self.models
            for offer in model.offers
            if not offer.per_unit and model.price(offer) is None
        )

    def _widened(self, resolved: Resolved, also: frozenset[str]) -> Resolved:
        """The same with the offers of the providers `also`."""
        if also <= self._enabled:
            return resolved
        return self._sold(resolved.model, self._enabled | also)

    def _sold(self, model: Model, providers: frozenset[str]) -> Resolved:
        found = [
            (offer.deprecated, priced)
            for offer in model.offers
            if offer.provider in providers and (priced := model.price(offer)) is not None
        ]
        if self._strategy == "price":
            found.sort(key=lambda one: one[1].input_picodollars + one[1].output_picodollars)
        found.sort(key=lambda one: one[0])
        return Resolved(model, tuple(priced for _, priced in found))

    def _meant(self, requested: str, also: frozenset[str]) -> Resolved | None:
        """The first meaning that can be called, else the first."""
        first = None
        for named in self._names.meanings(requested[:MAX_NAME_LENGTH]):
            resolved = self._widened(self._resolved[named.model], also).at(named)
            if resolved.offers:
                return resolved
            first = first or resolved
        return first

    def _sellable(self, resolved: Resolved, requested: str) -> Resolved:
        if not resolved.is_callable:
            raise _not_found(self._why_not_sold(resolved), requested)
        return resolved

    def _why_not_sold(self, resolved: Resolved) -> str:
        if not resolved.model.is_served:
            return f"is of kind {resolved.model.kind!r}, which no endpoint serves"
        offers = resolved.model.offers  # none is left of one that was taken off sale
        if offers and not any(map(resolved.model.price, offers)):
            return "has no price and cannot be called"
        if resolved.pinned is not None:
            return f"cannot be had at {resolved.pinned!r}, which is not enabled"
        return "is offered by no enabled provider"

    def _suggestion(self, requested: str) -> str:
        close = self._suggestions.close_to(requested[:MAX_NAME_LENGTH])
        return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""

    @cached_property
    def _suggestions(self) -> Suggestions:
        return Suggestions(name for name, found in self._by_name.items() if found.is_callable)


def _not_found(why: str, requested: str) -> NotFound:
    message = f"the model {requested[:MAX_NAME_LENGTH]!r} {why}"
    return NotFound(message, code="model_not_found", param="model")


def _problems(models: tuple[Model, ...], aliases: Mapping[str, str]) -> Iterator[str]:
    ids = {model.id for model in models}
    yield from (f"the model {name!r} stands twice" for name in _twice(model.id for model in models))
    for model in models:
        for provider, native_id in _twice((one.provider, one.native_id) for one in model.offers):
            yield f"{model.id!r}: the offer {native_id!r} of {provider!r} stands twice"
    for alias, model_id in aliases.items():
        if alias in ids:
            yield f"the alias {alias!r} is the name of a model"
        if model_id not in ids:
            yield f"the alias {alias!r} leads to {model_id!r}, which does not exist"


def _twice(values: Iterable[T]) -> Iterator[T]:
    given = tuple(values)
    if len(set(given)) < len(given):
        yield from (value for value, count in Counter(given).items() if count > 1)
