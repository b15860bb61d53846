"""What the HTTP surface is given, in both profiles."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.webhooks.resolver import ThreadPoolResolver
from adapters.webhooks.targets import PublicTargets
from api.catalogue_desk import CatalogueDesk
from api.ports import ApiLimits, ApiPorts, ReadModelFollower
from api.probes import Probes
from api.watch import StreamWatch
from domain.access.opening import OpeningPorts
from domain.errors import Conflict, VersionConflict
from domain.ports.event_store import DeadLetter
from domain.routing.routes import Routes
from infra.directories import Directories
from infra.first_admin import ensure_admin
from infra.making import Basis
from infra.offers import provider_objects
from infra.on_sale import OnSale
from infra.own_keys import OwnKeyPolicy
from infra.provider_facts import provider_facts
from infra.tokenizers import token_counter
from infra.version import VERSION
from infra.vitals import Vitals
from workers.attached import InteractiveRuns
from workers.catalogue_sync import CatalogueSync
from workers.webhooks.deliveries import Deliveries


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What serves the HTTP surface and differs between the profiles.

    `head` is the last position of the log, of all nodes.
    """

    read_models: ReadModelFollower
    watch: StreamWatch
    resolver: ThreadPoolResolver
    deliveries: Deliveries
    interactive: InteractiveRuns
    routes: Routes
    redrive: Callable[[DeadLetter], Awaitable[None]]
    vitals: Vitals
    head: Callable[[], Awaitable[int]]
    asyncapi: Callable[[], bytes]
    sync: CatalogueSync


async def prepare_to_serve(basis: Basis, show: Callable[[str], None]) -> None:
    """Sees to it that there is an administrator.

    Other nodes may do so at the same time. `show` gets the administrator's key where one is made.
    """
    storage, directories = basis.storage, basis.directories
    chosen = basis.settings.bootstrap_admin_key
    ports = OpeningPorts(
        storage.store, storage.payloads, storage.secrets, storage.clock, storage.ids
    )
    secret = None if chosen is None else chosen.get_secret_value()
    while True:
        try:
            await ensure_admin(ports, directories.keys, secret, show)
            break
        except (Conflict, VersionConflict):
            # Another node did it; with its events known there is one.
            await directories.keys_follower.load()
    await directories.keys_follower.load()  # so that the first request may be the administrator's


def _abreast(
    directories: Directories, head: Callable[[], Awaitable[int]]
) -> Callable[[], Awaitable[int]]:
    async def abreast() -> int:
        position = await head()
        for follower in directories.followers.values():
            await follower.reached(position)
        return position

    return abreast


def probes_of(vitals: Vitals) -> Probes:
    """What the probes of a process tell."""
    return Probes(VERSION, vitals.health, vitals.readiness, vitals.metrics)


def _desk(directories: Directories, on_sale: OnSale, parts: ApiParts) -> CatalogueDesk:
    reached = directories.feeds_follower.reached
    return CatalogueDesk(on_sale, directories.feeds, reached, parts.sync)


def api_ports(basis: Basis, on_sale: OnSale, parts: ApiParts) -> ApiPorts:
    """The ports of `create_app`."""
    storage, directories = basis.storage, basis.directories
    private = basis.settings.webhooks.allow_private_targets
    return ApiPorts(
        store=storage.store,
        interactive=parts.interactive,
        routes=parts.routes,
        provider_facts=provider_facts(basis.settings),
        source=storage.store.log,
        payloads=storage.payloads,
        secrets=storage.secrets,
        keys=directories.keys,
        keys_follower=directories.keys_follower,
        provider_keys=directories.provider_keys,
        provider_keys_follower=directories.provider_keys_follower,
        own_keys=OwnKeyPolicy(basis.settings),
        desk=_desk(directories, on_sale, parts),
        prices=directories.prices,
        read_models=storage.read_models,
        projector=parts.read_models,
        watch=parts.watch,
        targets=PublicTargets(parts.resolver, allow_private=private),
        webhooks=directories.webhooks,
        webhooks_follower=directories.webhooks_follower,
        pings=parts.deliveries,
        clock=storage.clock,
        ids=storage.ids,
        limits=ApiLimits(stream_keep_alive_seconds=basis.settings.http.stream_keep_alive),
        version=VERSION,
        providers=provider_objects(basis.settings),
        redrive=parts.redrive,
        probes=probes_of(parts.vitals),
        abreast=_abreast(directories, parts.head),
        asyncapi=parts.asyncapi,
        streams=basis.streams,
        tokens=token_counter(basis.settings),
        breakers=directories.breakers,
    )
