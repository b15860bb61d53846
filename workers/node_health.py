"""The health of providers on one node: what its attempts tell, ask and are told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.following import follow
from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.attempt_health import Speed
from domain.ports.event_store import LogEntry
from domain.ports.log import Log
from workers.breakers import BreakerKeeper
from workers.health import HealthRecorder

# Others tell what they observed once a second.
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """See `domain.ports.attempt_health.AttemptHealth`; `observe` gets every attempt.

    A call with a customer's own key says nothing about the provider to others: it may be the key.
    """

    source: Log
    recorder: HealthRecorder
    keeper: BreakerKeeper

    def avoided(self, offers: Sequence[OfferRef]) -> Mapping[int, int]:
        avoided = self.keeper.avoided(offers)
        if not avoided:
            return avoided
        return {place: at for place, at in avoided.items() if offers[place].own_key is None}

    def begins(self, offer: OfferRef) -> None:
        if offer.own_key is None:
            self.keeper.begins(offer)

    def abandoned(self, offer: OfferRef) -> None:
        if offer.own_key is None:
            self.keeper.abandoned(offer)

    def measured(self, offer: OfferRef, speed: Speed) -> None:
        if offer.own_key is None:
            self.recorder.measured(offer, speed)

    def observe(self, attempt: AttemptRecord) -> None:
        """Takes in how a call ended."""
        if attempt.own_key is None:
            self.recorder.observe(attempt)
            self.keeper.observe(attempt)

    def open_breakers(self) -> Mapping[str, float]:
        """How many breakers are not closed, by provider."""
        counts: dict[str, float] = {}
        for scope in self.keeper.board.troubled:
            counts[scope.provider] = counts.get(scope.provider, 0) + 1
        return counts

    async def flush(self) -> None:
        """Records what has not been recorded."""
        await self.recorder.flush()
        await self.keeper.flush()

    async def run(self) -> None:
        """Records, and takes in what other nodes observe from now on, until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(self.recorder.run())
            duties.create_task(self.keeper.run())
            others = follow(self.source, self.source.head(), self._follow, LOOK_SECONDS)
            duties.create_task(others)

    def _follow(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            self.recorder.follow(entry)
