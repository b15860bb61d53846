"""The query parameters of lists, and pages of what is held in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from domain.errors import InvalidRequest
from projections.listing import Order, Page, position_of

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list in memory: at most `limit` items after the one named `after`."""

    limit: int = 20
    after: str | None = None
    order: Order = "desc"

    def of(self, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The list object of this part of `items`, which are given oldest first.

        Raises `InvalidRequest` for an `after` that is the id of none of them.
        """
        return self.rendered(items, itemgetter("id"), dict)

    def rendered(
        self,
        items: Sequence[T],
        name: Callable[[T], str],
        render: Callable[[T], dict[str, Any]],
    ) -> dict[str, Any]:
        """As `of`, where only what is shown is rendered; `name` is the id of an item."""
        ordered = items if self.order == "asc" else items[::-1]
        start = self._start(ordered, name)
        shown = ordered[start : start + self.limit]
        return {
            "object": "list",
            "data": [render(item) for item in shown],
            "first_id": name(shown[0]) if shown else None,
            "last_id": name(shown[-1]) if shown else None,
            "has_more": start + len(shown) < len(ordered),
        }

    def _start(self, ordered: Sequence[T], name: Callable[[T], str]) -> int:
        if self.after is None:
            return 0
        for index, item in enumerate(ordered):
            if name(item) == self.after:
                return index + 1
        raise InvalidRequest("after must be the id of an item of this list", param="after")


def page(
    limit: Limit = 20,
    after: After = None,
    order: Order = "desc",
    as_of: Annotated[str | None, Query(max_length=20)] = None,
) -> Page:
    """The page that a request asks for. Raises `InvalidRequest` for a bad position."""
    return Page(limit, after, order, None if as_of is None else position_of(as_of))


def part(limit: Limit = 20, after: After = None, order: Order = "desc") -> Slice:
    """The part of a list in memory that a request asks for."""
    return Slice(limit, after, order)


def known_parameters(request: Request) -> None:
    """Refuses query parameters that the route does not declare. Raises `InvalidRequest`."""
    known = set(_query_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            raise InvalidRequest(f"unknown query parameter {name[:80]!r}", param=name[:80])


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for below in dependant.dependencies:
        yield from _query_names(below)


PageQuery = Annotated[Page, Depends(page)]
SliceQuery = Annotated[Slice, Depends(part)]
KnownParameters = Depends(known_parameters)
