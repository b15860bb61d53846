"""The breakers at work: fed by attempts and probes, asked before each call, recorded on change."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from domain.errors import StoreUnavailable, VersionConflict
from domain.event import Event, system_origin
from domain.ids import HOUSE_ACCOUNT
from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, StreamWrite
from domain.providers.board import BreakerBoard, Scope, Standing
from domain.providers.breaker import (
    Breaker,
    BreakerPolicy,
    Outcome,
    after,
    begun,
    offer_outcome,
    permits,
    provider_outcome,
    with_more,
)
from domain.providers.decide import Cause, moved

AWAY_SECONDS = 1.0
_NONE: Mapping[int, int] = {}

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Unrecorded:
    """A breaker's changes in order, and the version of its stream that they were made upon."""

    version: int
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Successes:
    """What `breaker` has not counted yet: of the rest of a part of its window, up to `until`.

    Successes come by the thousand, and change nothing before something fails.
    """

    breaker: Breaker
    until: int
    count: int = 0

    def goes_on(self, standing: Standing, now: int) -> bool:
        return standing.breaker is self.breaker and now < self.until


class BreakerKeeper:
    """Moves the breakers of a node's board; `run` records what changed.

    Nothing here waits: a change counts at once, and is recorded when the event store can. A change
    that another node was quicker to record is dropped.
    """

    def __init__(
        self,
        board: BreakerBoard,
        store: EventStore,
        clock: Clock,
        node_id: str,
        policy: BreakerPolicy,
    ) -> None:
        self.board, self._store, self._clock = board, store, clock
        self._node_id, self._policy = node_id, policy
        self._unrecorded: dict[Scope, _Unrecorded] = {}
        self._uncounted: dict[Scope, _Successes] = {}
        self._wanted = asyncio.Event()

    def avoided(self, offers: Sequence[OfferRef]) -> Mapping[int, int]:
        """See `domain.ports.attempt_health.AttemptHealth`."""
        if not self.board.troubled:
            return _NONE
        return {
            place: self._last_failed_at(offer)
            for place, offer in enumerate(offers)
            if not self.permits(offer)
        }

    def permits(self, offer: OfferRef) -> bool:
        """Whether the offer may be called now, for all that is known."""
        now, policy = self._clock.now(), self._policy
        return all(
            scope not in self.board.troubled or permits(self.board[scope].breaker, now, policy)
            for scope in _scopes(offer)
        )

    def begins(self, offer: OfferRef) -> None:
        """A call begins; the first after a breaker's time is over makes it half-open."""
        if self.board.troubled:
            now = self._clock.now()
            for scope in _scopes(offer):
                if scope in self.board.troubled:
                    self._move(scope, begun(self.board[scope].breaker, now, self._policy))

    def abandoned(self, offer: OfferRef) -> None:
        """A call was given up; if it was to try a breaker, the next one may."""
        if self.board.troubled:
            now = self._clock.now()
            for scope in _scopes(offer):
                if scope in self.board.troubled:
                    breaker = self.board[scope].breaker
                    self._move(scope, after(breaker, "neutral", now, now, self._policy))

    def observe(self, attempt: AttemptRecord) -> None:
        """Takes in how a call ended."""
        now, (offer, provider) = self._clock.now(), _scopes(attempt)
        self._took(offer, offer_outcome(attempt.outcome), attempt, now)
        self._took(provider, provider_outcome(attempt.outcome), attempt, now)

    def wants_probe(self, provider: str) -> bool:
        """Whether the breaker of the provider as a whole waits for a call that tries."""
        scope = Scope(provider)
        now, policy = self._clock.now(), self._policy
        return scope in self.board.troubled and permits(self.board[scope].breaker, now, policy)

    def observe_probe(self, provider: str, outcome: str, began_at: int) -> None:
        """Takes in how a probe ended; it says something about the provider as a whole alone."""
        scope, now = Scope(provider), self._clock.now()
        breaker = begun(self._counted(scope), now, self._policy)
        self._move(scope, breaker)
        judged = provider_outcome(outcome)
        self._move(scope, after(breaker, judged, began_at, now, self._policy), outcome)

    async def run(self) -> None:
        """Records changes until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("breakers.unrecorded", error=str(error))
                self._wanted.set()
                await asyncio.sleep(AWAY_SECONDS)

    async def flush(self) -> None:
        """Records what has changed."""
        for scope, unrecorded in tuple(self._unrecorded.items()):
            while unrecorded.events:
                await self._record(scope, unrecorded)
            if self._unrecorded.get(scope) is unrecorded:
                del self._unrecorded[scope]

    async def _record(self, scope: Scope, unrecorded: "_Unrecorded") -> None:
        stream, events = scope.breaker_id, tuple(unrecorded.events)
        origin = system_origin(HOUSE_ACCOUNT, self._node_id, stream)
        write = StreamWrite(stream, unrecorded.version, events)
        try:
            recorded = await self._store.append(Append(origin, (write,)))
        except VersionConflict:  # another node's change stands, and is followed
            unrecorded.events.clear()
            return
        unrecorded.version = recorded[-1].version
        del unrecorded.events[: len(events)]
        self.board.recorded(scope, unrecorded.version)

    def _took(self, scope: Scope, outcome: Outcome, attempt: AttemptRecord, now: int) -> None:
        standing, uncounted = self.board[scope], self._uncounted.get(scope)
        if outcome == "success" and uncounted is not None and uncounted.goes_on(standing, now):
            uncounted.count += 1
            return
        breaker = self._counted(scope)
        changed = after(breaker, outcome, attempt.started_at, now, self._policy)
        if changed.phase == breaker.phase == "closed":
            self.board.put(scope, standing._replace(breaker=changed))
            if outcome == "success":
                until = (changed.parts[-1].number + 1) * self._policy.part_ms
                self._uncounted[scope] = _Successes(changed, until)
        elif changed is not breaker:
            self._move(scope, changed, attempt.outcome)

    def _counted(self, scope: Scope) -> Breaker:
        """The state of a breaker with all successes till now."""
        breaker, uncounted = self.board[scope].breaker, self._uncounted.pop(scope, None)
        if uncounted is None or uncounted.breaker is not breaker or not uncounted.count:
            return breaker
        return with_more(breaker, uncounted.count)

    def _move(self, scope: Scope, breaker: Breaker, reason: str = "") -> None:
        cause = Cause(self._node_id, self._clock.now(), reason)
        standing, events = moved(scope, self.board[scope], breaker, cause)
        self.board.put(scope, standing)
        if events:
            log.info(events[0].event_name, provider=scope.provider, model=scope.native_id)
            if scope not in self._unrecorded:
                self._unrecorded[scope] = _Unrecorded(standing.version)
            self._unrecorded[scope].events.extend(events)
            self._wanted.set()

    def _last_failed_at(self, offer: OfferRef) -> int:
        return max(self.board[scope].breaker.last_failed_at for scope in _scopes(offer))


def _scopes(offer: OfferRef | AttemptRecord) -> tuple[Scope, Scope]:
    return Scope(offer.provider, offer.native_id), Scope(offer.provider)
