"""The in-memory directories of a node: keys, customers' provider keys, webhook endpoints, price
books and breakers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.access.directory import DIRECTORY_EVENTS as ACCESS_EVENTS
from domain.access.directory import KeyDirectory
from domain.access.provider_keys.directory import DIRECTORY_EVENTS as PROVIDER_KEY_EVENTS
from domain.access.provider_keys.directory import ProviderKeyDirectory
from domain.catalog.events import PriceBookPublished
from domain.catalog.price_books import PriceBooks
from domain.event import Event, Recorded
from domain.providers.board import BOARD_EVENTS, BreakerBoard
from domain.webhooks.directory import DIRECTORY_EVENTS as WEBHOOK_EVENTS
from domain.webhooks.directory import Directory
from infra.storage import NodeStore, Storage
from workers.directory import DirectoryFollower


@dataclass(frozen=True, slots=True)
class Directories:
    """Directories and what keeps each in step with the log."""

    keys: KeyDirectory
    keys_follower: DirectoryFollower
    provider_keys: ProviderKeyDirectory
    provider_keys_follower: DirectoryFollower
    webhooks: Directory
    webhooks_follower: DirectoryFollower
    prices: PriceBooks
    prices_follower: DirectoryFollower
    breakers: BreakerBoard
    breakers_follower: DirectoryFollower

    @property
    def followers(self) -> Mapping[str, DirectoryFollower]:
        return {
            "keys": self.keys_follower,
            "provider keys": self.provider_keys_follower,
            "webhooks": self.webhooks_follower,
            "prices": self.prices_follower,
            "breakers": self.breakers_follower,
        }


async def load_directories(storage: Storage[NodeStore]) -> Directories:
    """Builds the directories from what the log holds now."""
    keys, webhooks, prices = KeyDirectory(), Directory(), PriceBooks()
    provider_keys, breakers = ProviderKeyDirectory(), BreakerBoard()

    def publish(recorded: Recorded[Event]) -> None:
        if isinstance(recorded.event, PriceBookPublished):
            prices.publish(recorded.event)

    store, source = storage.store, storage.store.log
    webhook_names = [event_type.event_name for event_type in WEBHOOK_EVENTS]
    directories = Directories(
        keys,
        DirectoryFollower(store, source, ACCESS_EVENTS, keys.apply),
        provider_keys,
        DirectoryFollower(store, source, PROVIDER_KEY_EVENTS, provider_keys.apply),
        webhooks,
        DirectoryFollower(store, source, webhook_names, webhooks.apply),
        prices,
        DirectoryFollower(store, source, [PriceBookPublished.event_name], publish),
        breakers,
        DirectoryFollower(store, source, BOARD_EVENTS, breakers.apply),
    )
    for follower in directories.followers.values():
        await follower.load()
    return directories
