"""Passive health: what attempts say about providers, one event a provider and second."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog

from domain.errors import StoreUnavailable
from domain.event import system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.inference.events import AttemptRecord
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, StreamWrite
from domain.providers.events import AttemptsObserved, FailureCount

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    succeeded: int = 0
    duration_ms_sum: int = 0
    failures: Counter[str] = field(default_factory=Counter)


class HealthRecorder:
    """Counts attempts and records the counts once a second; helps nobody wait."""

    def __init__(self, store: EventStore, clock: Clock, node_id: str) -> None:
        self._store = store
        self._clock = clock
        self._node_id = node_id
        self._tallies: dict[str, _Tally] = {}
        self._flushes = 0

    def observe(self, attempt: AttemptRecord) -> None:
        """Counts one attempt."""
        tally = self._tallies.setdefault(attempt.provider, _Tally())
        if attempt.outcome == "ok":
            tally.succeeded += 1
            tally.duration_ms_sum += attempt.duration_ms
        else:
            tally.failures[attempt.outcome] += 1

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
        tallies, self._tallies = self._tallies, {}
        self._flushes += 1
        second = self._clock.now() // 1000
        writes = tuple(self._write(provider, tally, second) for provider, tally in tallies.items())
        if writes:
            origin = system_origin(HOUSE_ACCOUNT, self._node_id, f"health:{second}")
            await self._store.append(Append(origin, writes))

    def _write(self, provider: str, tally: _Tally, second: int) -> StreamWrite:
        observed = AttemptsObserved(
            provider=provider,
            node_id=self._node_id,
            second=second,
            succeeded=tally.succeeded,
            duration_ms_sum=tally.duration_ms_sum,
            failures=tuple(
                FailureCount(kind=kind, count=count) for kind, count in tally.failures.items()
            ),
        )
        return StreamWrite(f"health_{self._node_id}_{self._flushes}_{provider}", 0, (observed,))
