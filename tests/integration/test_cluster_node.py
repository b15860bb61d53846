"""A node of the cluster from its start to its end."""

import asyncio
from pathlib import Path

from domain.governance.events import HelperDegraded
from infra.cluster.node import opened_node
from infra.cluster.storage import open_cluster_storage
from infra.settings import load_settings
from tests.support.cluster import MASTER_KEY
from tests.support.engine import configuration


async def test_its_end_is_no_loss_of_its_helpers(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = load_settings(
        None,
        profile="cluster",
        data_dir=tmp_path,
        master_key=MASTER_KEY,
        postgres={"url": database_url},
        kafka={"bootstrap_servers": "127.0.0.1:1"},
        redis={"url": redis_url},
        **configuration("http://127.0.0.1:1/v1"),
    )
    async with opened_node(settings) as node:
        assert node.helpers is not None
        woken = asyncio.Event()
        node.helpers.signals.subscribe("connected", woken.set)
        await asyncio.wait_for(
            woken.wait(), 10
        )  # every receiver is called once Redis carries signals
    async with open_cluster_storage(settings) as storage:
        log = await storage.store.read_log(0, 100)
    assert [entry for entry in log if isinstance(entry.event, HelperDegraded)] == []  # type: ignore[union-attr]
