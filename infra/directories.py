"""The in-memory directories of a node: keys, customers' provider keys, webhook endpoints, price
books, breakers and what providers' lists tell.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.access.directory import DIRECTORY_EVENTS as ACCESS_EVENTS
from domain.access.directory import KeyDirectory
from domain.access.provider_keys.directory import DIRECTORY_EVENTS as PROVIDER_KEY_EVENTS
from domain.access.provider_keys.directory import ProviderKeyDirectory
from domain.catalog.events import PriceBookPublished
from domain.catalog.feeds import FEED_EVENT_NAMES, Feeds
from domain.catalog.price_books import PriceBooks
from domain.event import Event, Recorded
from domain.ports.log import Log
from domain.providers.board import BOARD_EVENTS, BreakerBoard
from domain.webhooks.directory import DIRECTORY_EVENTS as WEBHOOK_EVENTS
from domain.webhooks.directory import Directory
from infra.storage import NodeStore, Storage
from workers.directory import DirectoryFollower, keep_in_step


@dataclass(frozen=True, slots=True)
class Directories:
    """Directories and what keeps each in step with the log; `feeds_moved` is set with news."""

    source: Log
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
    feeds: Feeds
    feeds_follower: DirectoryFollower
    feeds_moved: asyncio.Event

    @property
    def followers(self) -> Mapping[str, DirectoryFollower]:
        return {
            "keys": self.keys_follower,
            "provider keys": self.provider_keys_follower,
            "webhooks": self.webhooks_follower,
            "prices": self.prices_follower,
            "breakers": self.breakers_follower,
            "catalogue": self.feeds_follower,
        }

    async def run(self) -> None:
        """Keeps them all in step until cancelled."""
        await keep_in_step(self.source, self.followers.values())


async def load_directories(storage: Storage[NodeStore]) -> Directories:
    """Builds the directories from what the log holds now."""
    keys, webhooks, prices = KeyDirectory(), Directory(), PriceBooks()
    provider_keys, breakers = ProviderKeyDirectory(), BreakerBoard()
    feeds, feeds_moved = Feeds(), asyncio.Event()

    store, source = storage.store, storage.store.log
    webhook_names = [event_type.event_name for event_type in WEBHOOK_EVENTS]
    directories = Directories(
        source,
        keys,
        DirectoryFollower(store, source, ACCESS_EVENTS, keys.apply),
        provider_keys,
        DirectoryFollower(store, source, PROVIDER_KEY_EVENTS, provider_keys.apply),
        webhooks,
        DirectoryFollower(store, source, webhook_names, webhooks.apply),
        prices,
        DirectoryFollower(store, source, [PriceBookPublished.event_name], _publishing(prices)),
        breakers,
        DirectoryFollower(store, source, BOARD_EVENTS, breakers.apply),
        feeds,
        DirectoryFollower(store, source, FEED_EVENT_NAMES, _feeding(feeds, feeds_moved)),
        feeds_moved,
    )
    for follower in directories.followers.values():
        await follower.load()
    return directories


def _publishing(prices: PriceBooks) -> Callable[[Recorded[Event]], None]:
    def publish(recorded: Recorded[Event]) -> None:
        if isinstance(recorded.event, PriceBookPublished):
            prices.publish(recorded.event)

    return publish


def _feeding(feeds: Feeds, moved: asyncio.Event) -> Callable[[Recorded[Event]], None]:
    def feed(recorded: Recorded[Event]) -> None:
        feeds.apply(recorded)
        moved.set()

    return feed
