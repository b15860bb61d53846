"""Rows cut into pieces of a few fixed sizes, so that few statements make up any number of them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], sizes: Sequence[int]) -> Iterator[Sequence[T]]:
    """`items` in pieces of these sizes, largest first, and what is left of them as the last."""
    start, left = 0, len(items)
    for size in sizes:
        while left >= size:
            yield items[start : start + size]
            start, left = start + size, left - size
    if left:
        yield items[start:]
