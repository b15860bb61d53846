"""Reads providers' own lists of models on schedule and records what changed, each for itself.

One node does it in a cluster; what still runs at two at once is settled by the stream of the
provider, which takes the first. No customer's request waits for any of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

import structlog

from domain.catalog.feeds import stream_of
from domain.catalog.listing import Known, ListUnavailable, UnreadableList
from domain.catalog.sync import Synced, SyncOutcome, decide_sync, outcome_of, refused
from domain.errors import NotFound, StoreUnavailable, VersionConflict
from domain.event import Origin, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, StreamWrite
from domain.ports.model_lists import ModelList

TICK_SECONDS = 5.0
# A node that has just started lets others, and its own traffic, be first.
FIRST_SECONDS = (30.0, 90.0)
# Lists are long, and reading them takes the machine's time.
AT_ONCE = 4
# By which share the time between two readings of a list varies.
JITTER = 0.1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SyncPorts:
    """What syncing needs; `random` gives numbers in [0, 1).

    `reached` returns once this node knows what is recorded up to a position.
    """

    store: EventStore
    clock: Clock
    known: Callable[[str], Awaitable[Known]]
    reached: Callable[[int], Awaitable[None]]
    random: Callable[[], float]


class CatalogueSync:
    """Syncs from one node, every `interval` seconds; `lists` are by provider."""

    def __init__(
        self, ports: SyncPorts, lists: Mapping[str, ModelList], interval: float, node_id: str
    ) -> None:
        self._ports, self._lists = ports, lists
        self._interval, self._node_id = interval, node_id
        self._slots = asyncio.Semaphore(AT_ONCE)
        now, (low, high) = ports.clock.now(), FIRST_SECONDS
        self._due_at = {
            name: now + round(1000 * (low + ports.random() * (high - low))) for name in lists
        }

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that have a list."""
        return tuple(self._lists)

    async def run(self) -> None:
        """Syncs on schedule until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.once()

    async def once(self) -> None:
        """Syncs every provider whose time has come.

        One provider's fault, even one of ours in reading its list, is nobody else's.
        """
        ports, now = self._ports, self._ports.clock.now()
        ready = [name for name, at in self._due_at.items() if at <= now]
        for name in ready:
            varied = self._interval * (1 + JITTER * (2 * ports.random() - 1))
            self._due_at[name] = now + round(1000 * varied)
        ended = await asyncio.gather(*map(self.sync, ready), return_exceptions=True)
        for name, outcome in zip(ready, ended, strict=True):
            if isinstance(outcome, Exception):
                log.error("catalogue.sync_failed", provider=name, exc_info=outcome)

    async def sync(
        self, provider: str, origin: Origin | None = None, *, accept_fewer: bool = False
    ) -> SyncOutcome:
        """Reads one list now and records what it changes. Raises `NotFound` where there is none."""
        if provider not in self._lists:
            raise NotFound(f"no list of models is known of {provider[:80]!r}")
        async with self._slots:
            known = await self._ports.known(provider)
            synced = await self._synced(provider, known, accept_fewer)
            return await self._recorded(provider, known.feed.version, synced, origin)

    async def _synced(self, provider: str, known: Known, accept_fewer: bool) -> Synced:
        try:
            listing = await self._lists[provider].read()
        except ListUnavailable as error:
            log.warning("catalogue.list_unavailable", provider=provider, error=str(error))
            return refused(provider, "failed", known)
        except UnreadableList as error:
            log.warning("catalogue.list_unreadable", provider=provider, error=str(error))
            return refused(provider, "unreadable", known)
        return await asyncio.to_thread(
            decide_sync, provider, listing, known, accept_fewer=accept_fewer
        )

    async def _recorded(
        self, provider: str, version: int, synced: Synced, origin: Origin | None
    ) -> SyncOutcome:
        if synced.events:
            stream = stream_of(provider)
            cause = origin or system_origin(HOUSE_ACCOUNT, self._node_id, stream)
            write = StreamWrite(stream, version, synced.events)
            try:
                recorded = await self._ports.store.append(Append(cause, (write,)))
            except VersionConflict:  # another node, or the operator, was faster
                return SyncOutcome(provider=provider, result="busy")
            except StoreUnavailable as error:
                log.warning("catalogue.sync_dropped", provider=provider, error=str(error))
                return SyncOutcome(provider=provider, result="busy")
            await self._ports.reached(recorded[-1].position)
        outcome = outcome_of(provider, synced)
        if synced.events:
            log.info("catalogue.synced", **asdict(outcome))
        return outcome
