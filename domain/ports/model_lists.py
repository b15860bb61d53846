"""Providers' own lists of models."""

from typing import Protocol

from domain.catalog.listing import ModelListing


class ModelList(Protocol):
    """The list of one provider.

    1. `read` returns a whole list or raises: `ListUnavailable` when it cannot be had just now,
       `UnreadableList` when what came is none, or breaks off.
    2. It ends within a time and a size of its own, whatever the provider does.
    3. Prices are exact, in picodollars; what the list does not tell is None and never zero.
    """

    async def read(self) -> ModelListing: ...
