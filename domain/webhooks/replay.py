"""Replay: every event since a time is delivered to one endpoint, again or for the first time."""

from dataclasses import replace

from domain.event import Origin, Recorded
from domain.inference.events import TERMINAL
from domain.ports.event_store import EventStore, LogEntry
from domain.webhooks.commands import EnsureDelivery
from domain.webhooks.handle import change_delivery
from domain.webhooks.schedule import delivery_to
from domain.webhooks.state import Endpoint
from domain.webhooks.types import TYPE_OF, subscribes, tells_of_a_job

PAGE = 500
NAMES = tuple(event_type.event_name for event_type in TERMINAL)


async def replay(
    store: EventStore, endpoint: Endpoint, since: int, until: int, now: int, origin: Origin
) -> int:
    """Makes the deliveries of the account's events recorded in [since, until] due at `now`.

    Times are Unix milliseconds. Returns how many were made due; a delivery that is still being
    tried is left alone. What the endpoint missed while it was off is scheduled too.
    """
    scheduled = 0
    position = await _position_before(store, since)
    while page := await store.read_log(position, PAGE, NAMES):
        for entry in page:
            if _time_of(entry) > until:
                return scheduled
            scheduled += await _deliver(store, endpoint, entry, now, origin)
        position = page[-1].position
    return scheduled


async def _deliver(
    store: EventStore, endpoint: Endpoint, entry: LogEntry, now: int, origin: Origin
) -> int:
    if not tells_of_a_job(entry) or entry.account_id != endpoint.account_id:
        return 0
    if not subscribes(endpoint.event_types, TYPE_OF[type(entry.event)]):
        return 0
    delivery = replace(delivery_to(entry, endpoint), due_at=now)
    command = EnsureDelivery(delivery)
    return len(await change_delivery(store, delivery.delivery_id, command, origin))


async def _position_before(store: EventStore, since: int) -> int:
    """The last position recorded before `since`, found by halving the log."""
    low, high = 0, await store.head()
    while low < high:
        middle = (low + high + 1) // 2
        (entry,) = await store.read_log(middle - 1, 1)
        if _time_of(entry) < since:
            low = middle
        else:
            high = middle - 1
    return low


def _time_of(entry: LogEntry) -> int:
    """When the entry was recorded; one that cannot be read stands before everything."""
    return entry.recorded_at if isinstance(entry, Recorded) else 0
