"""Many rows, or many keys, in few calls into SQLite.

Python's `executemany` gives up the interpreter lock at every row, and beside a busy event loop each
row may then wait for it (`infra/decisions/0002-group-commit.md`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from eventsourcing.sqlite import SQLiteCursor

from adapters.sql.chunks import chunks

# From a fixed set, so that every statement is prepared once and found in the cache: a few large
# sizes, and any that is smaller.
CHUNKS = (128, 64, 32, 16)


@lru_cache(maxsize=512)
def _statement(head: str, width: int, count: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * count)}"


@lru_cache(maxsize=512)
def _with_keys(statement: str, count: int) -> str:
    return statement.replace("(?)", f"({','.join('?' * count)})")


def insert_rows(
    cursor: SQLiteCursor, head: str, width: int, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Runs `head VALUES (…),(…)` over all rows, each of `width` values."""
    for chunk in chunks(rows, CHUNKS):
        values = [value for row in chunk for value in row]
        cursor.execute(_statement(head, width, len(chunk)), values)


def select_by_keys(
    cursor: SQLiteCursor, statement: str, keys: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The rows of a statement with `IN (?)`, over all keys."""
    found: list[tuple[Any, ...]] = []
    for chunk in chunks(keys, CHUNKS):
        cursor.execute(_with_keys(statement, len(chunk)), chunk)
        found += cursor.fetchall()
    return found


def delete_by_keys(cursor: SQLiteCursor, statement: str, keys: Sequence[str]) -> None:
    """Runs a statement with `IN (?)` over all keys."""
    for chunk in chunks(keys, CHUNKS):
        cursor.execute(_with_keys(statement, len(chunk)), chunk)
