"""A node sells what any node recorded: the catalogue is swapped whole, never changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from domain.catalog.events import (
    ListedPrices,
    OfferDelisted,
    OffersSynced,
    PricesQuarantined,
    SyncedOffer,
)
from domain.catalog.feeds import stream_of
from domain.errors import NotFound
from domain.event import Event, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.event_store import Append, StreamWrite
from infra.directories import load_directories
from infra.offers import build_catalogue
from infra.on_sale import OnSale
from infra.settings import load_settings
from infra.storage import open_embedded_storage
from tests.support.list_provider import settings_of

FRESH = SyncedOffer(
    model="acme/fresh",
    native_id="fresh",
    kind="chat",
    prices=ListedPrices(input_picodollars=1_000_000, output_picodollars=2_000_000),
)


@dataclass
class Shop:
    """A node's catalogue, and the log that all nodes write."""

    store: SqliteEventStore
    on_sale: OnSale
    reached: Callable[[int], Awaitable[None]]
    version: int = 0

    async def record(self, *events: Event) -> None:
        """As another node does."""
        stream = stream_of("h2")
        write = StreamWrite(stream, self.version, events)
        origin = system_origin(HOUSE_ACCOUNT, "n2", stream)
        self.version += len(events)
        await self.store.append(Append(origin, (write,)))

    async def swapped(self) -> None:
        """Returns once there is another catalogue than now."""
        before = self.on_sale.current
        async with asyncio.timeout(10):
            while self.on_sale.current is before:
                await asyncio.sleep(0.005)

    def is_sold(self, model: str) -> bool:
        try:
            return self.on_sale.current.on_sale(model).is_callable
        except NotFound:
            return False


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    told = settings_of("http://127.0.0.1:9/v1")
    settings = load_settings(
        None, data_dir=tmp_path, providers=told["more_providers"], models=told["more_models"]
    )
    async with open_embedded_storage(settings) as storage:
        directories = await load_directories(storage)
        on_sale = OnSale(settings, directories, build_catalogue(settings))
        running = [
            asyncio.create_task(directories.feeds_follower.run()),
            asyncio.create_task(on_sale.run()),
        ]
        yield Shop(storage.store, on_sale, directories.feeds_follower.reached)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_what_another_node_synced_is_on_sale_here(shop: Shop) -> None:
    assert not shop.is_sold("acme/fresh")
    await shop.record(OffersSynced(provider="h2", offers=(FRESH,)))
    await shop.swapped()
    assert shop.is_sold("acme/fresh")


async def test_what_another_node_delisted_is_not_sold_here(shop: Shop) -> None:
    assert shop.is_sold("acme/m1")
    await shop.record(OfferDelisted(provider="h2", native_id="m1", reason="bad"))
    await shop.swapped()
    assert not shop.is_sold("acme/m1")


async def test_who_holds_a_catalogue_sees_one_moment(shop: Shop) -> None:
    held = shop.on_sale.current
    await shop.record(OfferDelisted(provider="h2", native_id="m1", reason="bad"))
    await shop.swapped()
    assert held.on_sale("acme/m1").is_callable
    assert held is not shop.on_sale.current


async def test_a_quarantine_swaps_nothing(shop: Shop) -> None:
    held = shop.on_sale.current
    await shop.record(PricesQuarantined(provider="h2", prices=()))
    await shop.reached(await shop.store.head())
    await shop.on_sale.settled()
    assert shop.on_sale.current is held


async def test_a_name_that_is_an_alias_joins_the_model_behind_it(shop: Shop) -> None:
    alias = SyncedOffer(model="r1", native_id="r1-listed", kind="chat", prices=FRESH.prices)
    await shop.record(OffersSynced(provider="h2", offers=(alias,)))
    await shop.swapped()
    offers = shop.on_sale.current.on_sale("r1").offers
    assert ("h2", "r1-listed") in {(one.provider, one.native_id) for one in offers}
