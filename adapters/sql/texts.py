"""Rows with texts that every database can hold.

PostgreSQL holds no NUL. Customers can send one, which must neither stop the read models nor be
answered differently by different databases.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from projections.folding import Row
from projections.tables import NUL, storable_text


def storable_rows(rows: Collection[Row], key_of: Callable[[Row], Any]) -> Sequence[Row]:
    """The rows as they are stored; of those whose keys become the same, the last."""
    stored = (dict(zip(row, map(_storable, row.values()), strict=True)) for row in rows)
    return list({key_of(row): row for row in stored}.values())


def _storable(value: Any) -> Any:
    return storable_text(value) if isinstance(value, str) and NUL in value else value
