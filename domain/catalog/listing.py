"""A provider's own list of models as it was read, in our units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.catalog.events import ListedPrices, ModelKind
from domain.catalog.feeds import Feed
from domain.catalog.offers import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOffer:
    """One entry. What is None the list does not tell; `free` where it says that zero is meant."""

    native_id: str
    kind: ModelKind | None = None
    prices: ListedPrices | None = None
    free: bool = False
    context_length: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ModelListing:
    """A whole list, and whether it is one that tells prices."""

    offers: tuple[ListedOffer, ...]
    tells_prices: bool


class UnreadableList(ValueError):
    """What a provider sent is no list of models, or not all of one."""


class ListUnavailable(Exception):
    """A provider's list cannot be had just now."""


@dataclass(frozen=True, slots=True)
class KnownOffer:
    """An offer as it is known without the list, at which model; `context_length` counts there."""

    model: str
    kind: ModelKind
    offer: Offer
    context_length: int | None
    max_output_tokens: int | None

    @property
    def is_configured(self) -> bool:
        """Whether the operator set it, who is not overruled."""
        return self.offer.source == "configuration"


@dataclass(frozen=True, slots=True)
class Spread:
    """What a model costs at all its offers: the least and the most, in picodollars per token."""

    input: tuple[int, int]
    output: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What a list is held against: the provider's offers without it, and the lists before it.

    `named` says which model a new native id is of, and its kind where the model is known;
    `elsewhere` what a model costs at others.
    """

    offers: Mapping[str, KnownOffer]
    feed: Feed
    named: Callable[[str], tuple[str, ModelKind | None]]
    elsewhere: Callable[[str], Spread | None]
