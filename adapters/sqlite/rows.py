"""Multi-row statements: many rows in few calls into SQLite.

Python's `executemany` gives up the interpreter lock at every row, and beside a busy event loop each
row may then wait for it (`infra/decisions/0002-group-commit.md`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from eventsourcing.sqlite import SQLiteCursor

# Sizes from a fixed set, so that every statement is prepared once and found in the cache.
CHUNKS = (128, 32, 8, 4, 2, 1)


@lru_cache(maxsize=256)
def _statement(head: str, width: int, count: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * count)}"


def insert_rows(
    cursor: SQLiteCursor, head: str, width: int, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Runs `head VALUES (…),(…)` over all rows, each of `width` values."""
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            cursor.execute(_statement(head, width, size), [value for row in chunk for value in row])
            start += size
