"""The in-memory directories of a node: keys, webhook endpoints and price books."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from domain.access.directory import DIRECTORY_EVENTS as ACCESS_EVENTS
from domain.access.directory import KeyDirectory
from domain.catalog.catalogue import Catalogue
from domain.catalog.events import PriceBookPublished
from domain.catalog.price_books import PriceBooks, price_book
from domain.errors import VersionConflict
from domain.event import Event, Recorded, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.event_store import Append, StreamWrite
from domain.webhooks.directory import DIRECTORY_EVENTS as WEBHOOK_EVENTS
from domain.webhooks.directory import Directory
from infra.storage import NodeStore, Storage
from workers.directory import DirectoryFollower


@dataclass(frozen=True, slots=True)
class Directories:
    """Directories and what keeps each in step with the log."""

    keys: KeyDirectory
    keys_follower: DirectoryFollower
    webhooks: Directory
    webhooks_follower: DirectoryFollower
    prices: PriceBooks
    prices_follower: DirectoryFollower

    @property
    def followers(self) -> Mapping[str, DirectoryFollower]:
        return {
            "keys": self.keys_follower,
            "webhooks": self.webhooks_follower,
            "prices": self.prices_follower,
        }


async def load_directories(storage: Storage[NodeStore]) -> Directories:
    """Builds the directories from what the log holds now."""
    keys, webhooks, prices = KeyDirectory(), Directory(), PriceBooks()

    def publish(recorded: Recorded[Event]) -> None:
        if isinstance(recorded.event, PriceBookPublished):
            prices.publish(recorded.event)

    store, source = storage.store, storage.store.log
    webhook_names = [event_type.event_name for event_type in WEBHOOK_EVENTS]
    directories = Directories(
        keys,
        DirectoryFollower(store, source, ACCESS_EVENTS, keys.apply),
        webhooks,
        DirectoryFollower(store, source, webhook_names, webhooks.apply),
        prices,
        DirectoryFollower(store, source, [PriceBookPublished.event_name], publish),
    )
    for follower in directories.followers.values():
        await follower.load()
    return directories


async def publish_prices(
    storage: Storage[NodeStore], catalogue: Catalogue, prices: PriceBooks
) -> str:
    """Puts the catalogue's prices on the log unless they are; returns their version."""
    book = price_book(catalogue)
    if book.price_version not in prices:
        origin = system_origin(HOUSE_ACCOUNT, "catalogue", "start")
        write = StreamWrite(book.price_version, 0, (book,))
        with suppress(VersionConflict):  # another node published the same
            await storage.store.append(Append(origin, (write,)))
        prices.publish(book)
    return book.price_version
