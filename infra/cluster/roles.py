"""The roles of a node: serving customers, working, projecting, relaying."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from typing import TypeVar

from adapters.codec.events import EventCodec
from adapters.kafka.merged_log import KafkaLog
from adapters.kafka.relay import Relay
from adapters.postgres.relay import PostgresRelayProgress, PostgresRelaySource
from adapters.providers.session import HttpSession
from adapters.store.handling import Handling
from adapters.webhooks.resolver import ThreadPoolResolver
from api.app import create_app
from api.watch import StreamWatch
from domain.errors import NotFound, StoreUnavailable
from domain.event_types import ALL_EVENTS
from domain.ports.event_store import DeadLetter
from domain.ports.read_models import ReadModelUnavailable
from infra import asyncapi
from infra.api_ports import ApiParts, api_ports, prepare_to_serve
from infra.cluster.kafka import connection_of, topics_of, until_topics_are_ready
from infra.cluster.node import ClusterNode, Serving, opened_node
from infra.making import (
    DELIVERY_DNS_THREADS,
    Basis,
    attempt_engine,
    job_ports,
    make_deliveries,
    make_health,
    make_routes,
    make_running,
    make_sync,
    webhook_sender,
)
from infra.offers import build_catalogue
from infra.on_sale import OnSale
from infra.settings import Settings
from workers.attached import InteractiveRuns
from workers.node_health import NodeHealth
from workers.projector import Projector
from workers.read_model_watch import ReadModelWatch
from workers.webhooks.intake import WebhookIntake

PREPARE_SECONDS = 1.0


@asynccontextmanager
async def api_node(settings: Settings, show: Callable[[str], None]) -> AsyncIterator[Serving]:
    """Serves the HTTP surface. `show` gets the administrator's key where one is made.

    It needs PostgreSQL alone: Kafka, Redis and the projector may be away.
    """
    catalogue = build_catalogue(settings)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(opened_node(settings))
        resolver = _closed_by(stack, ThreadPoolResolver())
        delivery_resolver = _closed_by(stack, ThreadPoolResolver(DELIVERY_DNS_THREADS))
        basis = await node.basis()
        await prepare_to_serve(basis, show)
        on_sale = OnSale(settings, basis.directories, catalogue)
        node.tasks.start("catalogue", on_sale.run())
        sender = await stack.enter_async_context(webhook_sender(settings, delivery_resolver))
        source, storage = node.storage.store.log, node.storage
        watch = StreamWatch(source)
        read_models = ReadModelWatch(source, storage.read_models, storage.clock)
        node.tasks.start("watch", watch.run())
        node.tasks.start("read models", read_models.run())
        vitals = node.vitals(read_models=read_models, lag_matters=False)
        health = make_health(basis)
        session = _closed_by(stack, HttpSession())
        interactive = await stack.enter_async_context(_interactive(node, basis, health, session))
        parts = ApiParts(
            read_models,
            watch,
            resolver,
            make_deliveries(basis, sender),
            interactive,
            make_routes(basis, health),
            _redrive(basis, node),
            vitals,
            storage.store.head,
            cache(lambda: asyncapi.render(settings.kafka.topic_prefix).encode()),
            make_sync(basis, session),
        )
        app = create_app(api_ports(basis, on_sale, parts))
        yield Serving(app, node.tasks.failed)


C = TypeVar("C", ThreadPoolResolver, HttpSession)


def _closed_by(stack: AsyncExitStack, opened: C) -> C:
    stack.push_async_callback(opened.close)
    return opened


@asynccontextmanager
async def _interactive(
    node: ClusterNode, basis: Basis, health: NodeHealth, session: HttpSession
) -> AsyncIterator[InteractiveRuns]:
    """What runs requests at once on this node; at the end, what runs is let end."""
    running = make_running(basis)
    runs = InteractiveRuns(
        job_ports(basis, attempt_engine(basis, session, health)), running, node.node_id
    )
    node.tasks.start("running requests", running.run())
    node.tasks.start("health", health.run())
    yield runs
    await runs.drain(node.settings.dispatch.drain_timeout)
    with suppress(StoreUnavailable):
        await health.flush()


def _redrive(basis: Basis, node: ClusterNode) -> Callable[[DeadLetter], Awaitable[None]]:
    """Handles a dead letter here, whichever node set it aside."""
    directories, store = basis.directories, node.storage.store
    intake = WebhookIntake(directories.webhooks, directories.webhooks_follower.reached)
    consumers = {one.group: one for one in (intake.consumer,)}

    async def redrive(letter: DeadLetter) -> None:
        consumer = consumers.get(letter.consumer)
        if consumer is None:
            raise NotFound(f"no such consumer: {letter.consumer[:80]}")
        await Handling(consumer, store, node.storage.clock).redrive(letter, store.log)

    return redrive


@asynccontextmanager
async def projector_node(settings: Settings) -> AsyncIterator[Serving]:
    """Keeps the read models in step with Kafka, where no other node does already."""
    async with opened_node(settings, follows=False) as node:
        storage = node.storage
        watch = ReadModelWatch(storage.store.log, storage.read_models, storage.clock)
        node.tasks.start("read models", watch.run())
        leadership = node.leadership("projector")
        projecting = _Projecting(node)
        node.tasks.start("projector", leadership.run(projecting.run))
        yield node.serving(node.vitals(read_models=watch, problems=projecting.problems))


class _Projecting:
    """The projector's duty, done anew each time that this node leads."""

    def __init__(self, node: ClusterNode) -> None:
        self._node = node
        self._source: KafkaLog | None = None

    def problems(self) -> Mapping[str, str]:
        """Why Kafka's log does not move on, if it does not."""
        problem = None if self._source is None else self._source.problem
        return {} if problem is None else {"kafka log": problem}

    async def run(self) -> None:
        """Projects until cancelled, from where the read models stand."""
        settings, storage = self._node.settings, self._node.storage
        await until_topics_are_ready(settings)
        source = KafkaLog(connection_of(settings), topics_of(settings), EventCodec(ALL_EVENTS))
        await source.start(await self._position())
        self._source = source
        try:
            read_models, truth = storage.read_models, storage.store.read_log
            await Projector(source, read_models, storage.clock, truth).run()
        finally:
            self._source = None
            await source.close()

    async def _position(self) -> int:
        """What every generation holds that can go on."""
        while True:
            try:
                generations = await self._node.storage.read_models.prepare()
            except ReadModelUnavailable:
                await asyncio.sleep(PREPARE_SECONDS)
            else:
                return min((g.position for g in generations if g.can_advance), default=0)


@asynccontextmanager
async def relay_node(settings: Settings) -> AsyncIterator[Serving]:
    """Publishes the event store to Kafka, where no other node does already."""
    async with opened_node(settings, follows=False) as node:
        store = node.storage.store
        relay = Relay(
            connection_of(settings),
            topics_of(settings),
            PostgresRelaySource(store),
            PostgresRelayProgress(store),
        )
        leadership = node.leadership("relay")

        async def work() -> None:
            await until_topics_are_ready(settings)
            await relay.run()

        def problems() -> Mapping[str, str]:
            found = relay.problem if leadership.is_leader else None
            return {} if found is None else {"relay": found}

        def lag() -> Mapping[str, float]:
            behind = store.log.head() - relay.position
            return {"kafka": max(0, behind)} if leadership.is_leader else {}

        node.tasks.start("relay", leadership.run(work))
        readings = {"gatewayz_relay_lag_positions": ("Events not published.", "relay", lag)}
        yield node.serving(node.vitals(problems=problems, readings=readings))
