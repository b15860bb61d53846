"""Lists: cursor pages of one table for one account, at one position of the log.

Every answer says the position it holds for (`as_of`). Asked again with it, a list gives the same
bytes for ever: later rows are left out, and later changes of a row are masked by its renderer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, Select, Table, select, tuple_

from domain.errors import InvalidRequest
from domain.ports.read_models import Snapshot

Order = Literal["asc", "desc"]
Condition = ColumnElement[bool]
StoredRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `limit` items after the one named `after`.

    `as_of` is the position to answer for; None for the newest that the read model holds.
    """

    limit: int = 20
    after: str | None = None
    order: Order = "desc"
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A table that can be listed: in which order (the position first), and how a row looks."""

    projection: str
    table: Table
    order: tuple[Column[Any], ...]
    render: Callable[[StoredRow, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A list of an account's rows that meet `conditions`, and have `status` at the position.

    Raises `InvalidRequest` for an `after` that is not in the list and an `as_of` to come.
    """

    listing: Listing
    account_id: str
    page: Page
    conditions: tuple[Condition, ...] = ()
    status: str | None = None

    def __call__(self, snapshot: Snapshot) -> dict[str, Any]:
        head = snapshot.position(self.listing.projection)
        as_of = head if self.page.as_of is None else self.page.as_of
        if as_of > head:
            raise InvalidRequest("as_of lies beyond the end of the log", param="as_of")
        found = self._collect(snapshot, self._select(as_of, head), as_of)
        return _list_object(found, self.page.limit, as_of)

    def _select(self, as_of: int, head: int) -> Select[Any]:
        table = self.listing.table
        statement = rows_of(table, self.account_id).where(
            self.listing.order[0] <= as_of, *self.conditions
        )
        if self.status is None:
            return statement
        has_status = table.c.status == self.status
        if as_of < head:  # a row that has changed since may have had it
            has_status |= table.c.status_position > as_of
        return statement.where(has_status)

    def _collect(
        self, snapshot: Snapshot, statement: Select[Any], as_of: int
    ) -> list[dict[str, Any]]:
        """One item more than the page holds, if there is one; reads on past masked rows."""
        found: list[dict[str, Any]] = []
        size = self.page.limit + 1
        start = self._start(snapshot, as_of)
        while len(found) < size:
            rows = snapshot.rows(self._chunk(statement, start).limit(size))
            items = [self.listing.render(row, as_of) for row in rows]
            found += [item for item in items if self.status in {None, item.get("status")}]
            if len(rows) < size:
                break
            start = rows[-1]
        return found

    def _start(self, snapshot: Snapshot, as_of: int) -> StoredRow | None:
        if self.page.after is None:
            return None
        row = find_row(snapshot, self.listing.table, self.account_id, self.page.after, as_of)
        if row is None:
            raise InvalidRequest("after must be the id of an item of this list", param="after")
        return row

    def _chunk(self, statement: Select[Any], start: StoredRow | None) -> Select[Any]:
        columns, ascending = self.listing.order, self.page.order == "asc"
        if start is not None:
            place, last = tuple_(*columns), tuple_(*(start[column.name] for column in columns))
            statement = statement.where(place > last if ascending else place < last)
        return statement.order_by(*(c.asc() if ascending else c.desc() for c in columns))


def rows_of(table: Table, account_id: str) -> Select[Any]:
    """Every read starts here: none goes without the account."""
    return select(table).where(table.c.account_id == account_id)


def find_row(
    snapshot: Snapshot, table: Table, account_id: str, item_id: str, as_of: int
) -> StoredRow | None:
    """The account's row with this id, if it was there at `as_of`."""
    statement = rows_of(table, account_id).where(table.c.id == item_id, table.c.position <= as_of)
    rows = snapshot.rows(statement)
    return rows[0] if rows else None


def position_of(token: str, *, param: str = "as_of") -> int:
    """The position that a customer's token stands for. Raises `InvalidRequest`."""
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise InvalidRequest(f"{param} must be a position that an earlier answer gave", param=param)
    return int(token)


def _list_object(found: list[dict[str, Any]], limit: int, as_of: int) -> dict[str, Any]:
    shown = found[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
        "as_of": str(as_of),
    }
