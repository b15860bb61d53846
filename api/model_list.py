"""The list of models, made once for a catalogue and then searched and joined in memory."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec
from starlette.concurrency import run_in_threadpool

from api.model_objects import hosted_object, model_object, offer_objects
from domain.catalog.catalogue import Catalogue, Resolved
from domain.errors import InvalidRequest

View = Literal["unique", "full"]
Available = Literal["true", "false", "all"]
Sort = Literal["name", "price", "context", "providers"]
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One row as it is sent, and what is asked of it. Prices are picodollars per token."""

    id: str
    sent: bytes
    text: str
    kind: str
    providers: frozenset[str]
    capabilities: frozenset[str]
    context_length: int
    prices: tuple[tuple[int, int], ...]

    @property
    def cheapest(self) -> int:
        return min(map(sum, self.prices), default=2**62)


@dataclass(frozen=True, slots=True)
class ListedView:
    """The rows of one view, and the list of all of them as it is sent."""

    rows: Sequence[ListedRow]
    whole: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFilter:
    """Which rows are asked for; what is None or empty asks for nothing."""

    search: str = ""
    provider: str | None = None
    kind: str | None = None
    capabilities: Sequence[str] = ()
    min_context: int = 0
    min_providers: int = 0
    max_picodollars: int | None = None
    sort: Sort = "name"

    @property
    def is_idle(self) -> bool:
        """Whether it lets every row pass as it stands."""
        return self == ModelFilter()

    def of(self, rows: Sequence[ListedRow]) -> Sequence[ListedRow]:
        """The rows that pass, in the order asked for."""
        if self.is_idle:
            return rows
        words = self.search.lower().split()
        found = [row for row in rows if self._passes(row, words)]
        if self.sort != "name":
            found.sort(key=SORTS[self.sort])
        return found

    def _passes(self, row: ListedRow, words: Sequence[str]) -> bool:
        return (
            all(word in row.text for word in words)
            and (self.provider is None or self.provider in row.providers)
            and (self.kind is None or self.kind == row.kind)
            and row.capabilities.issuperset(self.capabilities)
            and row.context_length >= self.min_context
            and len(row.providers) >= self.min_providers
            and self._affordable(row)
        )

    def _affordable(self, row: ListedRow) -> bool:
        most = self.max_picodollars
        return most is None or any(max(prices) <= most for prices in row.prices)


# For as long as the catalogue is in use.
_MADE: WeakKeyDictionary[Catalogue, dict[tuple[View, Available], asyncio.Future[ListedView]]] = (
    WeakKeyDictionary()
)
SORTS: Mapping[Sort, Callable[[ListedRow], Any]] = {
    "name": lambda row: row.id,
    "price": lambda row: row.cheapest,
    "context": lambda row: -row.context_length,
    "providers": lambda row: -len(row.providers),
}


async def view_of(catalogue: Catalogue, view: View, available: Available) -> ListedView:
    """One view of the models. All of them take a while to make: once, and beside other requests."""
    made = _MADE.setdefault(catalogue, {})
    making = made.get((view, available))
    if making is None:
        making = asyncio.ensure_future(run_in_threadpool(_made, catalogue, view, available))
        made[view, available] = making
    return await asyncio.shield(making)  # who leaves early leaves the others theirs


def list_object(
    view: ListedView, wanted: ModelFilter, limit: int | None, after: str | None
) -> bytes:
    """The list as it is sent; a part of it only where `limit` or `after` ask for one.

    Raises `InvalidRequest` for an `after` that is the id of none of the rows.
    """
    if wanted.is_idle and limit is None and after is None:
        return view.whole
    rows = wanted.of(view.rows)
    if limit is None and after is None:
        return _listed(rows)
    start = _start(rows, after)
    shown = rows[start:] if limit is None else rows[start : start + limit]
    place = {
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
        "has_more": start + len(shown) < len(rows),
    }
    return _listed(shown)[:-1] + b"," + _encode(place)[1:]


def _listed(rows: Sequence[ListedRow]) -> bytes:
    return b'{"object":"list","data":[' + b",".join(row.sent for row in rows) + b"]}"


def _made(catalogue: Catalogue, view: View, available: Available) -> ListedView:
    of_each = _hosted if view == "full" else _unique
    rows = [row for resolved in catalogue.every() for row in of_each(resolved, available)]
    return ListedView(rows, _listed(rows))


def _start(rows: Sequence[ListedRow], after: str | None) -> int:
    if after is None:
        return 0
    for index, row in enumerate(rows):
        if row.id == after:
            return index + 1
    raise InvalidRequest("after must be the id of a model of this list", param="after")


def _unique(resolved: Resolved, available: Available) -> Iterator[ListedRow]:
    """The model's row, if what can be called of it is what was asked for."""
    if available == "all" or resolved.is_callable == (available == "true"):
        offers = offer_objects(resolved, every=available != "true")
        yield _row(resolved, offers, model_object(resolved.model, offers))


def _hosted(resolved: Resolved, available: Available) -> Iterator[ListedRow]:
    """A row for each offer that is as was asked for."""
    for offer in offer_objects(resolved, every=available != "true"):
        if available != "false" or not offer["available"]:
            yield _row(resolved, [offer], hosted_object(resolved.model, offer))


def _row(
    resolved: Resolved, offers: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]
) -> ListedRow:
    places = {(offer["provider"], offer["native_id"]) for offer in offers}
    names = (resolved.model.id, *(name for place in places for name in place))
    return ListedRow(
        id=shown["id"],
        sent=_encode(shown),
        text="\n".join(names).lower(),
        kind=resolved.model.kind,
        providers=frozenset(provider for provider, _ in places),
        capabilities=frozenset(shown["capabilities"]),
        context_length=shown["context_length"] or 0,
        prices=tuple(
            (offer.input_picodollars, offer.output_picodollars or 0)
            for offer in resolved.model.offers
            if offer.input_picodollars is not None and (offer.provider, offer.native_id) in places
        ),
    )
