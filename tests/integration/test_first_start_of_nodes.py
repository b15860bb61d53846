"""API nodes that start at the same moment on a database with nothing in it."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from api.pricing import pinned
from domain.access.events import AccountOpened
from domain.catalog.events import PriceBookPublished
from infra.api_ports import prepare_to_serve
from infra.cluster.storage import open_cluster_storage
from infra.directories import load_directories
from infra.making import Basis
from infra.offers import build_catalogue
from infra.settings import load_settings
from tests.support.cluster import MASTER_KEY
from tests.support.engine import ADMIN_KEY, configuration

NODES = 4


async def test_they_agree_on_one_administrator_and_on_prices(
    database_url: str, tmp_path: Path
) -> None:
    settings = load_settings(
        None,
        profile="cluster",
        data_dir=tmp_path,
        master_key=MASTER_KEY,
        bootstrap_admin_key=ADMIN_KEY,
        postgres={"url": database_url},
        kafka={"bootstrap_servers": "127.0.0.1:1"},
        **configuration("http://127.0.0.1:1/v1"),
    )
    async with AsyncExitStack() as stack:
        storages = [
            await stack.enter_async_context(open_cluster_storage(settings)) for _ in range(NODES)
        ]
        nodes = [
            Basis(settings, storage, await load_directories(storage), f"node-{number}")
            for number, storage in enumerate(storages)
        ]
        await asyncio.gather(*(prepare_to_serve(node, print) for node in nodes))
        sold = build_catalogue(settings)
        book = sold.price_book(sold.find("alpha").model)
        versions = await asyncio.gather(
            *(pinned(node.storage.store, node.directories.prices, book) for node in nodes)
        )
        log = await storages[0].store.read_log(0, 1000)
    events = [type(entry.event) for entry in log]  # type: ignore[union-attr]
    assert len(set(versions)) == 1
    assert (events.count(AccountOpened), events.count(PriceBookPublished)) == (1, 1)
