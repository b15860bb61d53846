"""Records that this node lost one of its helpers, and that it came back."""

import asyncio
from collections import deque

import structlog

from domain.errors import StoreUnavailable
from domain.event import Event, system_origin
from domain.governance.events import HelperDegraded, HelperRestored
from domain.governance.helpers import Helper
from domain.ids import HOUSE_ACCOUNT
from domain.ports.clock import Clock
from domain.ports.event_store import Append, EventStore, StreamWrite

# A store that hangs must not make this node's memory grow.
MOST_WAITING = 100
log = structlog.get_logger(__name__)


class HelpersHealth:
    """Takes changes without a wait and records them when the store can; else they are dropped."""

    def __init__(self, store: EventStore, clock: Clock, node_id: str) -> None:
        self._store, self._clock, self._node_id = store, clock, node_id
        self._degraded_at: dict[Helper, int] = {}
        self._waiting: deque[Event] = deque(maxlen=MOST_WAITING)
        self._wanted = asyncio.Event()
        self._flushes = 0

    def changed(self, helper: Helper, reason: str | None) -> None:
        """Takes a change: the reason why the helper degraded, or `None` when it is restored."""
        if reason is not None:
            log.warning("helper degraded", helper=helper, reason=reason)
        else:
            log.info("helper restored", helper=helper)
        self._waiting.append(self._event(helper, reason))
        self._wanted.set()

    async def run(self) -> None:
        """Records until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("helper change dropped", error=str(error))

    async def flush(self) -> None:
        """Records what has changed."""
        events = tuple(self._waiting)
        self._waiting.clear()
        if events:
            self._flushes += 1
            stream = f"helpers_{self._node_id}_{self._flushes}"
            origin = system_origin(HOUSE_ACCOUNT, self._node_id, stream)
            await self._store.append(Append(origin, (StreamWrite(stream, 0, events),)))

    def _event(self, helper: Helper, reason: str | None) -> Event:
        now, node_id = self._clock.now(), self._node_id
        if reason is not None:
            self._degraded_at[helper] = now
            return HelperDegraded(node_id=node_id, helper=helper, reason=reason)
        degraded_ms = max(0, now - self._degraded_at.pop(helper, now))
        return HelperRestored(node_id=node_id, helper=helper, degraded_ms=degraded_ms)
