"""What is sold at this moment, and what the operator does about it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.catalog.catalogue import Catalogue
from domain.catalog.feeds import Feeds
from domain.catalog.sync import SyncOutcome
from domain.event import Origin


class Sold(Protocol):
    """Holds the present catalogue; what `current` gives never changes itself."""

    @property
    def current(self) -> Catalogue: ...

    async def settled(self) -> None:
        """Returns once `current` has all that this node knows now."""
        ...


class Syncing(Protocol):
    """Reads providers' own lists of models."""

    @property
    def providers(self) -> Sequence[str]: ...

    async def sync(
        self, provider: str, origin: Origin | None = None, *, accept_fewer: bool = False
    ) -> SyncOutcome:
        """Reads one list now. Raises `NotFound` where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class CatalogueDesk:
    """`reached` returns once the feeds hold everything up to a position."""

    on_sale: Sold
    feeds: Feeds
    reached: Callable[[int], Awaitable[None]]
    syncing: Syncing

    async def settled(self, position: int) -> None:
        """Returns once what was recorded up to `position` is sold, or not sold any more."""
        await self.reached(position)
        await self.on_sale.settled()
