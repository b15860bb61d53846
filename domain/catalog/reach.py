"""What an account can call: what the house sells, and the offers of providers it has keys at."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from domain.catalog.catalogue import Catalogue, Model, Resolved

# So many sets of providers are kept for a catalogue; what is forgotten is put together anew.
KEPT = 64


@dataclass(frozen=True, slots=True)
class Reach:
    """Every model that is known, and those of them that can be called, in the order listed."""

    every: tuple[Resolved, ...]
    listed: tuple[Resolved, ...]


# For as long as the catalogue is in use.
_REACHES: WeakKeyDictionary[Catalogue, OrderedDict[frozenset[str], Reach]] = WeakKeyDictionary()


def reach_of(catalogue: Catalogue, also: Iterable[str] = ()) -> Reach:
    """What can be called with keys at the providers `also`. Not safe for threads."""
    added = frozenset(provider for provider in also if not catalogue.enables(provider))
    kept = _REACHES.setdefault(catalogue, OrderedDict())
    found = kept.get(added)
    if found is None:
        every = _every(catalogue, added)
        found = kept[added] = Reach(every, tuple(one for one in every if one.is_callable))
        if len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(added)
    return found


def is_offered_at(model: Model, providers: Iterable[str]) -> bool:
    """Whether one of these providers offers the model."""
    return not {offer.provider for offer in model.offers}.isdisjoint(providers)


def _every(catalogue: Catalogue, added: frozenset[str]) -> tuple[Resolved, ...]:
    if not added:
        return catalogue.every()
    return tuple(
        catalogue.find(one.model.id, added) if is_offered_at(one.model, added) else one
        for one in catalogue.every()
    )
