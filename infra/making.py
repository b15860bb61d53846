"""The workers that both profiles have, made of their parts."""

import random
from dataclasses import dataclass

from adapters.providers.session import HttpSession
from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.sender import AiohttpSender
from adapters.webhooks.signer import StandardSigner
from domain.ports.answer_streams import AnswerStreams
from domain.ports.provider import CallTimeouts
from domain.ports.work_queue import WorkQueue
from domain.providers.breaker import BreakerPolicy
from domain.routing.ordering import Tuning
from domain.routing.policy import AttemptLimits
from domain.routing.routes import Routes, RoutingPolicy
from domain.webhooks.retry import RetryPolicy
from infra.directories import Directories
from infra.known_offers import KnownOffers
from infra.model_lists import model_lists
from infra.offers import build_providers
from infra.own_keys import OwnKeyBuilder
from infra.settings import Settings
from infra.storage import NodeStore, Storage
from infra.tokenizers import token_counter
from infra.version import VERSION
from workers.attempts import AttemptEngine
from workers.breakers import BreakerKeeper
from workers.catalogue_sync import CatalogueSync, SyncPorts
from workers.dispatch import Dispatcher, DispatchLimits
from workers.health import HealthRecorder
from workers.node_health import NodeHealth
from workers.own_providers import OWN_KEYS, OwnProviders
from workers.run import JobPorts
from workers.running import RunningJobs
from workers.webhooks.composer import Composer
from workers.webhooks.deliverer import DeliveryLimits
from workers.webhooks.deliveries import Deliveries, DeliveryPorts

# One for every delivery that can run, so that one account's slow names leave some for others.
DELIVERY_DNS_THREADS = DeliveryLimits().concurrency


@dataclass(frozen=True, slots=True)
class Basis:
    """What every worker of a node is made of."""

    settings: Settings
    storage: Storage[NodeStore]
    directories: Directories
    node_id: str
    streams: AnswerStreams | None = None


def make_health(basis: Basis) -> NodeHealth:
    """What watches the attempts of this node, and knows what other nodes see."""
    store, clock, breaker = basis.storage.store, basis.storage.clock, basis.settings.breaker
    policy = BreakerPolicy(
        consecutive_failures=breaker.consecutive_failures,
        failure_ratio=breaker.failure_ratio,
        minimum_requests=breaker.minimum_requests,
        window_seconds=breaker.window,
        open_seconds=breaker.open_seconds,
        max_open_seconds=breaker.max_open_seconds,
        successes_to_close=breaker.successes_to_close,
    )
    return NodeHealth(
        store.log,
        HealthRecorder(store, clock, basis.node_id),
        BreakerKeeper(basis.directories.breakers, store, clock, basis.node_id, policy),
    )


def make_sync(basis: Basis, session: HttpSession) -> CatalogueSync:
    """What reads providers' lists from this node."""
    settings, storage, directories = basis.settings, basis.storage, basis.directories
    ports = SyncPorts(
        storage.store,
        storage.clock,
        KnownOffers(settings, directories.feeds).of,
        directories.feeds_follower.reached,
        random.random,
    )
    lists = model_lists(settings, session)
    return CatalogueSync(ports, lists, settings.catalogue.sync_interval, basis.node_id)


def make_routes(basis: Basis, health: NodeHealth) -> Routes:
    """The order of offers as this node knows it."""
    routing = basis.settings.routing
    policy = RoutingPolicy(
        strategy=routing.strategy,
        weights=routing.weights,
        tuning=Tuning(minimum_samples=routing.minimum_samples, margin=routing.margin),
    )
    return Routes(policy, health.recorder.board, health.avoided)


def attempt_engine(basis: Basis, session: HttpSession, health: NodeHealth) -> AttemptEngine:
    """The engine that calls the configured providers."""
    attempts, clock = basis.settings.attempts, basis.storage.clock
    own = OwnProviders(
        basis.directories.provider_keys,
        basis.storage.payloads,
        OwnKeyBuilder(basis.settings, session, clock),
    )
    return AttemptEngine(
        {**build_providers(basis.settings, session, clock), OWN_KEYS: own},
        clock,
        AttemptLimits(max_attempts=attempts.max_attempts),
        CallTimeouts(
            attempts.connect_timeout,
            attempts.first_byte_timeout,
            attempts.chunk_timeout,
            attempts.total_timeout,
        ),
        health.observe,
        health=health,
    )


def job_ports(basis: Basis, engine: AttemptEngine) -> JobPorts:
    """What a run of a job needs on this node."""
    storage, directories = basis.storage, basis.directories

    async def reached(position: int) -> None:
        await directories.prices_follower.reached(position)
        await directories.provider_keys_follower.reached(position)

    return JobPorts(
        storage.store,
        storage.store.log,
        storage.payloads,
        engine,
        directories.prices,
        reached,
        storage.clock,
        storage.ids,
        basis.streams,
        token_counter(basis.settings),
    )


def make_running(basis: Basis) -> RunningJobs:
    """What keeps the leases of the jobs that run on this node."""
    storage, lease = basis.storage, basis.settings.dispatch.lease_seconds
    return RunningJobs(storage.store, storage.store.log, storage.clock, basis.node_id, lease)


def make_dispatcher(
    basis: Basis, ports: JobPorts, queue: WorkQueue, running: RunningJobs, *, sole_worker: bool
) -> Dispatcher:
    """The dispatcher of this node; `sole_worker` when no other node works on the queue."""
    dispatch = basis.settings.dispatch
    limits = DispatchLimits(
        concurrency=dispatch.concurrency,
        per_account=dispatch.per_account or max(1, dispatch.concurrency * 4 // 5),
        lease_seconds=dispatch.lease_seconds,
        drain_seconds=dispatch.drain_timeout,
        sole_worker=sole_worker,
    )
    return Dispatcher(ports, queue, limits, basis.node_id, running)


def webhook_sender(settings: Settings, resolver: ThreadPoolResolver) -> AiohttpSender:
    """What calls the customers."""
    return AiohttpSender(
        resolver,
        user_agent=f"Gatewayz/{VERSION}",
        timeout=settings.webhooks.timeout,
        allow_private=settings.webhooks.allow_private_targets,
    )


def make_deliveries(basis: Basis, sender: AiohttpSender) -> Deliveries:
    """What makes single deliveries, test messages too."""
    storage, directories = basis.storage, basis.directories
    ports = DeliveryPorts(
        store=storage.store,
        composer=Composer(storage.store, storage.payloads, StandardSigner()),
        sender=sender,
        directory=directories.webhooks,
        reached=directories.webhooks_follower.reached,
        clock=storage.clock,
        ids=storage.ids,
        random=random.random,
    )
    return Deliveries(ports, RetryPolicy(gaps=basis.settings.webhooks.retry_schedule))
