"""What a requested name may mean: a model, by itself or at one provider.

Nothing is guessed: a name is an id, an alias, a pin of a provider, another spelling of a maker or
a provider's own id. An alias leads to a model in one step, and never to another model than it says.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class Offered(Protocol):
    """What is read of an offer."""

    @property
    def provider(self) -> str: ...
    @property
    def native_id(self) -> str: ...


class Listed(Protocol):
    """What is read of a model."""

    @property
    def id(self) -> str: ...
    @property
    def offers(self) -> tuple[Offered, ...]: ...


@dataclass(frozen=True, slots=True)
class Named:
    """A model that a name may mean, at one provider and under one of its ids where it says so."""

    model: str
    provider: str | None = None
    native_id: str | None = None


class Names:
    """The names of some models; whatever is compared, is compared in small letters."""

    def __init__(
        self, models: Iterable[Listed], aliases: Mapping[str, str], makers: Mapping[str, str]
    ) -> None:
        self._models = tuple(models)
        self._makers = makers
        self._ids = {model.id.lower(): model.id for model in self._models}
        self._aliases = {alias.lower(): name for alias, name in aliases.items()}

    def meanings(self, requested: str) -> Iterator[Named]:
        """Every meaning, the most literal first."""
        name = requested.strip().lower()
        if (model := self._called(name)) is not None:
            yield Named(model)
        for separator in (":", "/"):
            provider, found, rest = name.partition(separator)
            if found and provider in self._natives_of:
                yield from self._at(provider, rest)
        maker, _, rest = name.partition("/")
        if maker in self._makers and (model := self._ids.get(f"{self._makers[maker]}/{rest}")):
            yield Named(model)
        models = self._by_native.get(name, ())
        if len(models) == 1:
            yield Named(next(iter(models)))

    def _called(self, name: str) -> str | None:
        """The model of this id or alias; the terms behind an alias stay (`r1:free`)."""
        if model := self._ids.get(name) or self._aliases.get(name):
            return model
        alias, terms, variant = name.rpartition(":")
        model = self._aliases.get(alias) if terms else None
        return None if model is None else self._ids.get(f"{model.lower()}:{variant}")

    def _at(self, provider: str, name: str) -> Iterator[Named]:
        """What the provider itself calls so, else its offers of the model that is called so."""
        natives = self._natives_of[provider]
        if name in natives:
            model, native_id = natives[name]
            yield Named(model, provider, native_id)
        model_id = self._called(name)
        if model_id is not None and any(model_id == model for model, _ in natives.values()):
            yield Named(model_id, provider)

    # Built when the first name is asked for that is neither an id nor an alias.
    @cached_property
    def _natives_of(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for model in self._models:
            for offer in model.offers:
                natives = found.setdefault(offer.provider.lower(), {})
                natives.setdefault(offer.native_id.lower(), (model.id, offer.native_id))
        return found

    @cached_property
    def _by_native(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        for natives in self._natives_of.values():
            for native_id, (model, _) in natives.items():
                found.setdefault(native_id, set()).add(model)
        return found
