"""The list of models, made once for a catalogue and then searched and joined in memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec
from starlette.concurrency import run_in_threadpool

from api.model_objects import NO_MARKS, Marks, hosted_object, model_object, offer_objects
from domain.catalog.catalogue import Catalogue, Resolved
from domain.catalog.reach import is_offered_at, reach_of
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
    """The rows of one view by their models, and the list of all of them as it is sent.

    One that is an account's own keeps no such list: its rows are mostly everybody's.
    """

    by_model: Mapping[str, Sequence[ListedRow]]
    rows: Sequence[ListedRow]
    sent: bytes | None = None

    @property
    def whole(self) -> bytes:
        return _listed(self.rows) if self.sent is None else self.sent


@dataclass(frozen=True, slots=True)
class Selection:
    """Which view is asked for, and of which of its models."""

    view: View
    available: Available


@dataclass(slots=True)
class _Made:
    """What was made for a catalogue: everybody's views, and those of accounts with own keys."""

    common: dict[Selection, asyncio.Future[ListedView]] = field(default_factory=dict)
    own: OrderedDict[tuple[Selection, bytes], ListedView] = field(default_factory=OrderedDict)


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
_MADE: WeakKeyDictionary[Catalogue, _Made] = WeakKeyDictionary()
# So many views of accounts with own keys are kept; what is forgotten is made anew.
KEPT_OWN = 100
SORTS: Mapping[Sort, Callable[[ListedRow], Any]] = {
    "name": lambda row: row.id,
    "price": lambda row: row.cheapest,
    "context": lambda row: -row.context_length,
    "providers": lambda row: -len(row.providers),
}


async def view_of(
    catalogue: Catalogue, selection: Selection, marks: Marks = NO_MARKS
) -> ListedView:
    """One view of the models. All of them take a while to make: once, and beside other requests.

    `marks` are of the providers that an account has own keys at; nobody else sees its view.
    """
    made = _MADE.setdefault(catalogue, _Made())
    making = made.common.get(selection)
    if making is None:
        making = asyncio.ensure_future(run_in_threadpool(_common, catalogue.every(), selection))
        made.common[selection] = making
    common = await asyncio.shield(making)  # who leaves early leaves the others theirs
    return common if not marks else await _own_view(catalogue, selection, marks, common)


async def _own_view(
    catalogue: Catalogue, selection: Selection, marks: Marks, common: ListedView
) -> ListedView:
    kept, key = _MADE[catalogue].own, (selection, _encode(marks))
    found = kept.get(key)
    if found is None:
        every = reach_of(catalogue, marks).every
        found = kept[key] = await run_in_threadpool(_own, every, selection, marks, common)
        if len(kept) > KEPT_OWN:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return found


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


def _common(every: Sequence[Resolved], selection: Selection) -> ListedView:
    by_model = {one.model.id: tuple(_rows(one, selection, NO_MARKS)) for one in every}
    rows = [row for found in by_model.values() for row in found]
    return ListedView(by_model, rows, _listed(rows))


def _own(
    every: Sequence[Resolved], selection: Selection, marks: Marks, common: ListedView
) -> ListedView:
    """Only the models of the account's own providers have rows of its own."""
    by_model = {
        one.model.id: tuple(_rows(one, selection, marks))
        if is_offered_at(one.model, marks)
        else common.by_model[one.model.id]
        for one in every
    }
    return ListedView(by_model, [row for found in by_model.values() for row in found])


def _start(rows: Sequence[ListedRow], after: str | None) -> int:
    if after is None:
        return 0
    for index, row in enumerate(rows):
        if row.id == after:
            return index + 1
    raise InvalidRequest("after must be the id of a model of this list", param="after")


def _rows(resolved: Resolved, selection: Selection, marks: Marks) -> Iterator[ListedRow]:
    offers = offer_objects(resolved, every=selection.available != "true", marks=marks)
    of_each = _hosted if selection.view == "full" else _unique
    return of_each(resolved, offers, selection.available)


def _unique(
    resolved: Resolved, offers: list[dict[str, Any]], available: Available
) -> Iterator[ListedRow]:
    """The model's row, if what can be called of it is what was asked for."""
    if available == "all" or resolved.is_callable == (available == "true"):
        yield _row(resolved, offers, model_object(resolved.model, offers))


def _hosted(
    resolved: Resolved, offers: list[dict[str, Any]], available: Available
) -> Iterator[ListedRow]:
    """A row for each offer that is as was asked for."""
    for offer in offers:
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
