"""The query parameters that every list takes."""

from typing import Annotated

from fastapi import Depends, Query

from projections.listing import Order, Page, position_of


def page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=100)] = None,
    order: Order = "desc",
    as_of: Annotated[str | None, Query(max_length=20)] = None,
) -> Page:
    """The page that a request asks for. Raises `InvalidRequest` for a bad position."""
    return Page(limit, after, order, None if as_of is None else position_of(as_of))


PageQuery = Annotated[Page, Depends(page)]
