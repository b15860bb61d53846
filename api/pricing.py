"""Pinning a job to prices: the model's price book is on the log before the job is accepted."""

from contextlib import suppress

from domain.catalog.events import PriceBookPublished
from domain.catalog.price_books import PriceBooks
from domain.errors import VersionConflict
from domain.event import system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.event_store import Append, EventStore, StreamWrite


async def pinned(store: EventStore, prices: PriceBooks, book: PriceBookPublished) -> str:
    """The version of a model's present prices, published by now.

    Only the first use of a model at its prices writes; every other one looks a name up.
    """
    version = book.price_version
    if version not in prices:
        origin = system_origin(HOUSE_ACCOUNT, "catalogue", version)
        with suppress(VersionConflict):  # somebody else published the same
            await store.append(Append(origin, (StreamWrite(version, 0, (book,)),)))
        prices.publish(book)
    return version
