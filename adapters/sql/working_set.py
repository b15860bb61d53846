"""The rows that one batch reads and changes, in memory until they are written at once."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from adapters.sql.layout import TableRows
from domain.ports.read_models import Generation
from projections.folding import Row, RowKey

# Rows kept between batches, per table: most changes are to rows that changed lately.
KEPT_ROWS = 8_000
Tables = Mapping[str, TableRows]
# By table and key; None is a row that is known not to be there.
Known = dict[str, dict[Any, Row | None]]


class RowCache:
    """The rows of one generation as they stood at one place of one log; of no use elsewhere.

    Another process may have advanced the generation since, and a restored database or log may
    give its number and positions a second time. What an entry's id and all that went before it
    make of the rows is always the same.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.rows: Known = {}
        self._place: tuple[int, str | None] = (-1, None)

    def at(self, generation: Generation) -> Known:
        """What is known of the rows where `generation` stands."""
        place = (generation.position, generation.entry_id)
        if place != self._place:
            self.rows, self._place = {}, place
        return self.rows

    def advance(self, after: Generation, changes: Known) -> None:
        """Takes in what was committed; forgets what changed longest ago."""
        self._place = (after.position, after.entry_id)
        for table, known in self.rows.items():
            changed = changes.get(table, {})
            for key, row in changed.items():
                known.pop(key, None)
                if row is not None:
                    known[key] = row
            for key in list(islice(known, max(0, len(known) - KEPT_ROWS))):
                del known[key]


class WorkingSet:
    """`Rows` for one batch; many changes of one row become one write."""

    def __init__(self, tables: Tables, known: Known) -> None:
        self._tables = tables
        self._known = known
        self.changes: Known = {name: {} for name in tables}

    def load(self, connection: Connection, keys: Iterable[RowKey]) -> None:
        """Reads the rows with these keys, unless they are known or the batch makes them."""
        # Known only once all are read: what a failed read left out is not known to be absent.
        found: Known = {name: {} for name in self._tables}
        missing: dict[str, list[str]] = {name: [] for name in self._tables}
        for table, key, is_new in keys:
            rows = found[table]
            if key not in rows and key not in self._known.setdefault(table, {}):
                rows[key] = None
                if not is_new:
                    missing[table].append(key)
        for table, wanted in missing.items():
            physical = self._tables[table]
            found[table].update((physical.key_of(r), r) for r in physical.load(connection, wanted))
        for table, rows in found.items():
            if rows:
                self._known[table].update(rows)

    def get(self, table: str, key: str) -> Row | None:
        changed = self.changes[table]
        return changed[key] if key in changed else self._known[table][key]

    def put(self, table: str, row: Row) -> None:
        self.changes[table][self._tables[table].key_of(row)] = row

    def delete(self, table: str, key: str) -> None:
        self.changes[table][key] = None

    def write(self, connection: Connection) -> None:
        """Writes the changes, table by table."""
        for name, changed in self.changes.items():
            known = self._known.get(name, {})
            gone = [k for k, row in changed.items() if row is None and known.get(k) is not None]
            self._tables[name].delete(connection, gone)
            self._tables[name].upsert(connection, [r for r in changed.values() if r is not None])
