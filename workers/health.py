"""Passive health: what attempts say about providers, one event a provider and second."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import structlog

from domain.errors import StoreUnavailable
from domain.event import system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.attempt_health import Speed
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, LogEntry, StreamWrite, Unreadable
from domain.providers.breaker import offer_outcome
from domain.providers.events import AttemptsObserved, FailureCount, OfferCounts, ProbeCompleted
from domain.providers.health import HealthBoard
from domain.providers.sketch import bucket_of, buckets

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _OfferTally:
    succeeded: int = 0
    failed: int = 0
    durations: Counter[int] = field(default_factory=Counter)
    first_tokens: Counter[int] = field(default_factory=Counter)
    output_tokens: int = 0
    generating_ms: int = 0

    def counts(self, native_id: str) -> OfferCounts:
        return OfferCounts(
            native_id=native_id,
            succeeded=self.succeeded,
            failed=self.failed,
            durations=buckets(self.durations),
            first_tokens=buckets(self.first_tokens),
            output_tokens=self.output_tokens,
            generating_ms=self.generating_ms,
        )


@dataclass(slots=True)
class _Tally:
    succeeded: int = 0
    duration_ms_sum: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    offers: defaultdict[str, _OfferTally] = field(default_factory=lambda: defaultdict(_OfferTally))


class HealthRecorder:
    """Counts attempts and records the counts once a second; helps nobody wait.

    The board gets the counts of this node as they are recorded, and those of others as they come.
    """

    def __init__(
        self, store: EventStore, clock: Clock, node_id: str, board: HealthBoard | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._node_id = node_id
        self.board = board or HealthBoard()
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._speeds: dict[tuple[str, str], Speed] = {}
        self._flushes = 0

    def measured(self, offer: OfferRef, speed: Speed) -> None:
        """How fast the answer came that is observed next."""
        self._speeds[offer.provider, offer.native_id] = speed

    def observe(self, attempt: AttemptRecord) -> None:
        """Counts one attempt."""
        tally = self._tallies[attempt.provider]
        offer = tally.offers[attempt.native_id]
        if attempt.outcome != "ok":
            tally.failures[attempt.outcome] += 1
            offer.failed += offer_outcome(attempt.outcome) == "failure"
            return
        tally.succeeded += 1
        tally.duration_ms_sum += attempt.duration_ms
        offer.succeeded += 1
        offer.durations[bucket_of(attempt.duration_ms)] += 1
        if self._speeds:
            self._count_speed(attempt, offer)

    async def run(self) -> None:
        """Records until cancelled. Counts that cannot be recorded are dropped (promise P10)."""
        while True:
            await asyncio.sleep(1)
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("health.dropped", error=str(error))

    async def flush(self) -> None:
        """Records what has been counted."""
        tallies, self._tallies = self._tallies, defaultdict(_Tally)
        self._flushes += 1
        now = self._clock.now()
        observed = [self._observed(name, tally, now // 1000) for name, tally in tallies.items()]
        for one in observed:
            self.board.take(one, now)
        if observed:
            origin = system_origin(HOUSE_ACCOUNT, self._node_id, f"health:{now // 1000}")
            writes = tuple(self._write(one) for one in observed)
            await self._store.append(Append(origin, writes))

    def follow(self, entry: LogEntry) -> None:
        """Takes in what another node observed."""
        event = None if isinstance(entry, Unreadable) else entry.event
        if isinstance(event, AttemptsObserved) and event.node_id != self._node_id:
            self.board.take(event, self._clock.now())
        elif isinstance(event, ProbeCompleted):
            self.board.heard(event.provider, self._clock.now())

    def _count_speed(self, attempt: AttemptRecord, tally: _OfferTally) -> None:
        speed = self._speeds.pop((attempt.provider, attempt.native_id), None)
        if speed is None:
            return
        tally.output_tokens += speed.output_tokens
        tally.generating_ms += attempt.duration_ms - (speed.first_token_ms or 0)
        if speed.first_token_ms is not None:
            tally.first_tokens[bucket_of(speed.first_token_ms)] += 1

    def _observed(self, provider: str, tally: _Tally, second: int) -> AttemptsObserved:
        return AttemptsObserved(
            provider=provider,
            node_id=self._node_id,
            second=second,
            succeeded=tally.succeeded,
            duration_ms_sum=tally.duration_ms_sum,
            failures=tuple(
                FailureCount(kind=kind, count=count) for kind, count in tally.failures.items()
            ),
            offers=tuple(offer.counts(native_id) for native_id, offer in tally.offers.items()),
        )

    def _write(self, observed: AttemptsObserved) -> StreamWrite:
        stream = f"health_{self._node_id}_{self._flushes}_{observed.provider}"
        return StreamWrite(stream, 0, (observed,))
