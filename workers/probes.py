"""Active probes: a provider that nobody calls is asked for its list of models, which bills nobody.

Providers that served lately are asked more often than the rest, and nobody is asked whom some node
has heard of since. A breaker of a whole provider that waits for a call to try gets a probe at once,
so that a provider comes back without a customer's request having to find out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from domain.errors import StoreUnavailable
from domain.event import system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, StreamWrite
from domain.providers.events import ProbeCompleted
from domain.providers.health import HealthBoard
from workers.breakers import BreakerKeeper

TICK_SECONDS = 5.0
# Whoever was called so lately belongs to those that are asked often.
POPULAR_MS = 24 * 3_600_000
# A node that has just started lets others, and its own traffic, be first.
FIRST_SECONDS = (30.0, 90.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a probe ended: "ok" or the way in which it failed, and how long it took."""

    outcome: str
    duration_ms: int


# Asks one provider; None when it has no list to be asked for.
Ask = Callable[[], Awaitable[ProbeResult | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeIntervals:
    """Seconds between what is heard of a provider and its next probe, half of it to all of it."""

    popular: float = 300.0
    rest: float = 7200.0


@dataclass(frozen=True, slots=True)
class ProbePorts:
    """What probing needs; `random` gives numbers in [0, 1)."""

    store: EventStore
    clock: Clock
    board: HealthBoard
    keeper: BreakerKeeper
    random: Callable[[], float]


class Prober:
    """Probes from one node; `providers` are asked by name."""

    def __init__(
        self,
        ports: ProbePorts,
        providers: Mapping[str, Ask],
        intervals: ProbeIntervals,
        node_id: str,
    ) -> None:
        self._ports, self._providers = ports, dict(providers)
        self._intervals, self._node_id = intervals, node_id
        self._started_at = ports.clock.now()
        low, high = FIRST_SECONDS
        self._shares = {name: ports.random() for name in self._providers}
        self._first_ms = {
            name: round(1000 * (low + share * (high - low))) for name, share in self._shares.items()
        }
        self._probes = 0

    async def run(self) -> None:
        """Probes until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.once()

    async def once(self) -> None:
        """Probes every provider whose time has come; a fault of ours in one stops no other."""
        due = [name for name in self._providers if self._is_due(name)]
        ended = await asyncio.gather(*map(self._probe, due), return_exceptions=True)
        for name, outcome in zip(due, ended, strict=True):
            if isinstance(outcome, Exception):
                log.error("probe.failed", provider=name, exc_info=outcome)

    def _is_due(self, provider: str) -> bool:
        ports, now = self._ports, self._ports.clock.now()
        if ports.keeper.wants_probe(provider):
            return True
        heard_at = ports.board.heard_at(provider)
        if heard_at is None:
            return now >= self._started_at + self._first_ms[provider]
        used_at = ports.board.used_at(provider)
        is_popular = used_at is not None and now - used_at < POPULAR_MS
        interval = self._intervals.popular if is_popular else self._intervals.rest
        return now >= heard_at + round(1000 * interval * (1 + self._shares[provider]) / 2)

    async def _probe(self, provider: str) -> None:
        ports, began_at = self._ports, self._ports.clock.now()
        result = await self._providers[provider]()
        if result is None:
            del self._providers[provider]
            return
        self._shares[provider] = ports.random()
        ports.board.heard(provider, ports.clock.now())
        ports.keeper.observe_probe(provider, result.outcome, began_at)
        try:
            await self._record(provider, result)
        except StoreUnavailable as error:
            log.warning("probe.dropped", provider=provider, error=str(error))

    async def _record(self, provider: str, result: ProbeResult) -> None:
        self._probes += 1
        event = ProbeCompleted(
            provider=provider,
            node_id=self._node_id,
            outcome=result.outcome,
            duration_ms=result.duration_ms,
        )
        stream = f"probe_{self._node_id}_{self._probes}_{provider}"
        origin = system_origin(HOUSE_ACCOUNT, self._node_id, stream)
        await self._ports.store.append(Append(origin, (StreamWrite(stream, 0, (event,)),)))
