"""A running cluster with what stands around it: the models, a receiver of webhooks, and clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from domain.event import Event
from domain.ports.stored_rows import StoredRow
from infra.benchmarks.revocation import measure
from infra.cluster.kafka import connection_of, topics_of
from infra.cluster.offline import shared_read_models
from infra.local.services import temporary_folder
from infra.offline import open_log
from tests.support.client import Account, Client, client
from tests.support.cluster import Cluster, Role, need_services, running_cluster
from tests.support.engine import ADMIN_KEY
from tests.support.relay import published
from tests.support.scripted_provider import ScriptedProvider
from tests.support.webhook_receiver import WebhookReceiver

PAGE = 5_000
POLL_SECONDS = 0.02


@dataclass
class Site:
    """A cluster as its customers, its operator and its models see it."""

    cluster: Cluster
    upstream: ScriptedProvider
    receiver: WebhookReceiver
    admin: Client

    @property
    def api_names(self) -> list[str]:
        return [node.name for node in self.cluster.of("api")]

    def at(self, one: Client, name: str) -> Client:
        """The same key at another node."""
        return Client(one.session, self.cluster.nodes[name].base_url, one.api_key)

    def everywhere(self, one: Client) -> list[Client]:
        """The same key at every API node."""
        return [self.at(one, name) for name in self.api_names]

    async def account(self, credit_usd: str | None = "10.00") -> Account:
        """An account with credit."""
        return await self.admin.account(credit_usd)

    async def ready(self, name: str) -> tuple[int, dict[str, Any]]:
        """What `/ready` of a node answers."""
        answer = await self.at(self.admin, name).get("/ready")
        return answer.status, answer.json

    async def metric(self, name: str, metric: str, **labels: str) -> float | None:
        """A metric of a node, None where it has no such sample."""
        text = (await self.at(self.admin, name).get("/metrics")).body.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == metric and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    async def stored(self) -> list[StoredRow]:
        """The whole log as the event store has it."""

        def read() -> list[StoredRow]:
            rows: list[StoredRow] = []
            with open_log(self.cluster.settings()) as log:
                while page := log.rows(len(rows), PAGE):
                    rows += page
            return rows

        return await asyncio.to_thread(read)

    async def events(self, kind: type[Event]) -> list[dict[str, Any]]:
        """The envelopes of all events of a kind, in order."""
        topics = f"{kind.event_name}@"
        return [json.loads(r.state) for r in await self.stored() if r.topic.startswith(topics)]

    async def published(self) -> list[StoredRow]:
        """The whole log as Kafka has it: all partitions read, duplicates left out.

        Asserts that within each partition positions rise, but for those that were sent again.
        """
        settings = self.cluster.settings()
        rows: dict[int, StoredRow] = {}
        for partition in (await published(connection_of(settings), topics_of(settings))).values():
            highest = 0
            for row in partition:
                if row.position > highest:
                    assert row.position not in rows, "one event in two partitions"
                    rows[row.position], highest = row, row.position
                assert rows[row.position] == row
        return [rows[position] for position in sorted(rows)]

    async def revocations(self, owner: Client, count: int) -> list[float]:
        """Revokes so many keys in use; how many seconds each was still let in by any node."""
        ports = [int(self.cluster.nodes[n].base_url.rpartition(":")[2]) for n in self.api_names]
        return (await measure(ports, owner.api_key or "", count)).latencies

    async def assert_all_published(self, timeout: float = 30) -> None:
        """Kafka has everything that the store has now, byte for byte, in order, without a gap."""
        stored = await self.stored()

        async def is_there() -> bool:
            return len(await self.published()) >= len(stored)

        await until(is_there, timeout)
        assert (await self.published())[: len(stored)] == stored

    async def drained(self, timeout: float = 30) -> None:
        """Waits until the read models hold all that the store has now."""
        head = len(await self.stored())
        read_models = shared_read_models(self.cluster.settings())

        async def hold_all() -> bool:
            active = [one for one in await read_models.generations() if one.is_active]
            return all(one.position >= head for one in active)

        try:
            await until(hold_all, timeout)
        finally:
            await read_models.close()


async def until(holds: Callable[[], Awaitable[bool]], timeout: float = 20) -> float:
    """Waits until it holds; returns how many seconds that took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout(timeout):
        while not await holds():
            await asyncio.sleep(POLL_SECONDS)
    return loop.time() - started


@asynccontextmanager
async def running_site(*roles: Role, **changes: Any) -> AsyncIterator[Site]:
    """A cluster of these roles, with an API node among them, on services of its own."""
    need_services()
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedProvider())
        receiver = await stack.enter_async_context(WebhookReceiver())
        folder = stack.enter_context(temporary_folder())
        running = running_cluster(folder, upstream.base_url, roles, **changes)
        cluster = await stack.enter_async_context(running)
        base_url = cluster.nodes["api1"].base_url
        admin = await stack.enter_async_context(client(base_url, ADMIN_KEY))
        yield Site(cluster, upstream, receiver, admin)
