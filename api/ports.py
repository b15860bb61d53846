"""What the HTTP surface needs from the rest of the engine."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.account_locks import AccountLocks
from api.catalogue_desk import CatalogueDesk
from api.probes import Probes
from api.status_pages import StatusPages
from api.watch import StreamWatch
from domain.access.directory import KeyDirectory
from domain.access.provider_keys.directory import ProviderKeyDirectory
from domain.catalog.catalogue import Catalogue
from domain.catalog.price_books import PriceBooks
from domain.ports.answer_streams import AnswerStreams
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import DeadLetter, EventStore
from domain.ports.interactive import Interactive
from domain.ports.log import Log
from domain.ports.payloads import Payloads
from domain.ports.read_models import ReadModels
from domain.ports.secrets import Secrets
from domain.ports.tokens import TokenCounter
from domain.ports.webhook_sender import Pings, TargetPolicy
from domain.providers.board import BreakerBoard
from domain.rating.counting import LIKELY
from domain.routing.candidates import ProviderFacts
from domain.routing.routes import Routes
from domain.webhooks.directory import Directory


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Sizes in bytes, times in seconds."""

    max_body_bytes: int = 10 * 2**20  # of a submission
    max_small_body_bytes: int = 64 * 2**10  # of every other request
    # How long a whole body may take to arrive, and how long the rest of a refused one is let in.
    body_seconds: float = 30.0
    linger_seconds: float = 2.0
    max_wait_seconds: float = 60.0
    heartbeat_seconds: float = 15.0
    # After which a silent stream tells that it still stands; 0 for never.
    stream_keep_alive_seconds: float = 15.0
    # How long a read waits for its own account's latest writes to reach the read models.
    read_your_writes_seconds: float = 2.0


class DirectoryFollower(Protocol):
    """Keeps an in-memory directory in step with the log."""

    async def reached(self, position: int) -> None:
        """Returns once everything up to `position` is applied."""
        ...


class OwnKeys(Protocol):
    """Which providers can be called with a customer's key."""

    def require(self, provider: str, api_key: str) -> None:
        """Raises `InvalidRequest` unless this key alone is enough there."""
        ...


class ReadModelFollower(Protocol):
    """Keeps the read models in step with the log."""

    async def caught_up(
        self, position: int, timeout_seconds: float, names: Sequence[str] = ()
    ) -> bool:
        """Whether the read models held `position` within the time."""
        ...


@dataclass(frozen=True, slots=True)
class ApiPorts:
    """Everything that `create_app` is given; nothing here names an adapter.

    `abreast` returns the last position of the log once this node's directories hold all of it,
    what other nodes recorded too: who wrote at one node may read at another.
    """

    store: EventStore
    interactive: Interactive
    source: Log
    payloads: Payloads
    secrets: Secrets
    keys: KeyDirectory
    keys_follower: DirectoryFollower
    provider_keys: ProviderKeyDirectory
    provider_keys_follower: DirectoryFollower
    own_keys: OwnKeys
    desk: CatalogueDesk
    routes: Routes
    provider_facts: Mapping[str, ProviderFacts]
    prices: PriceBooks
    read_models: ReadModels
    projector: ReadModelFollower
    watch: StreamWatch
    targets: TargetPolicy
    webhooks: Directory
    webhooks_follower: DirectoryFollower
    pings: Pings
    clock: Clock
    ids: Ids
    limits: ApiLimits
    version: str
    providers: Sequence[Mapping[str, Any]]
    redrive: Callable[[DeadLetter], Awaitable[None]]
    probes: Probes
    abreast: Callable[[], Awaitable[int]]
    asyncapi: Callable[[], bytes]
    breakers: BreakerBoard
    status_pages: StatusPages = field(default_factory=StatusPages)
    streams: AnswerStreams | None = None
    tokens: TokenCounter = LIKELY
    endpoint_locks: AccountLocks = field(default_factory=AccountLocks)

    @property
    def catalogue(self) -> Catalogue:
        """What is sold at this moment: read it once for what must agree with itself."""
        return self.desk.on_sale.current
