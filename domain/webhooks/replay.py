"""Replay: the events of a time are delivered to one endpoint, again or for the first time.

The log is everybody's, so one call reads and schedules a bounded part of it and says where the
next one goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from domain.errors import InvalidRequest, VersionConflict
from domain.event import Event, Origin, Recorded
from domain.execute import fold
from domain.inference.events import TERMINAL
from domain.ports.event_store import Append, EventStore, LogEntry, StreamWrite
from domain.webhooks.commands import EnsureDelivery
from domain.webhooks.decide import decide_delivery
from domain.webhooks.events import DeliveryScheduled
from domain.webhooks.handle import change_delivery
from domain.webhooks.schedule import delivery_to
from domain.webhooks.state import Endpoint, evolve_delivery
from domain.webhooks.types import tells_of_a_job

# Read in one go, and recorded in one append.
PAGE = 100
MAX_READ = 10_000
MAX_DELIVERIES = 1_000
LONGEST_MS = 7 * 24 * 3600 * 1000
NAMES = tuple(event_type.event_name for event_type in TERMINAL)


@dataclass(frozen=True, slots=True)
class Window:
    """The events recorded in [since, until] (Unix ms) that stand after the position `after`.

    Raises `InvalidRequest` when it spans more than seven days.
    """

    since: int
    until: int
    after: int = 0

    def __post_init__(self) -> None:
        if self.until - self.since > LONGEST_MS:
            raise InvalidRequest(
                "a replay spans at most 7 days; name an earlier until",
                code="replay_too_long",
                param="until",
            )


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries were made due, and the position to go on after; None at the end."""

    deliveries: int
    next_after: int | None


async def replay(
    store: EventStore, endpoint: Endpoint, window: Window, now: int, origin: Origin
) -> Replayed:
    """Makes deliveries of the account's events in the window due at `now`.

    A delivery that is still being tried is left alone. What the endpoint missed while it was off
    is scheduled too. One call reads at most `MAX_READ` events of all accounts and makes at most
    `MAX_DELIVERIES` due.
    """
    position = max(window.after, await _position_before(store, window.since))
    made = 0
    for _ in range(MAX_READ // PAGE):
        page = await store.read_log(position, PAGE, NAMES)
        within = list(takewhile(lambda entry: _time_of(entry) <= window.until, page))
        made += await _make_due(store, _deliveries(within, endpoint, now), origin)
        if len(within) < PAGE:
            return Replayed(made, None)
        position = page[-1].position
        if made > MAX_DELIVERIES - PAGE:
            break
    return Replayed(made, position)


def _deliveries(
    entries: Sequence[LogEntry], endpoint: Endpoint, now: int
) -> list[DeliveryScheduled]:
    return [
        replace(delivery, due_at=now)
        for entry in entries
        if tells_of_a_job(entry)
        and entry.account_id == endpoint.account_id
        and (delivery := delivery_to(entry, endpoint)) is not None
    ]


async def _make_due(
    store: EventStore, deliveries: Sequence[DeliveryScheduled], origin: Origin
) -> int:
    """One append for all; when one of them has moved on meanwhile, one for each."""
    writes = [write for each in deliveries if (write := await _write(store, each))]
    if not writes:
        return 0
    try:
        return len(await store.append(Append(origin, tuple(writes))))
    except VersionConflict:
        recorded = [await _make_one_due(store, each, origin) for each in deliveries]
        return sum(map(len, recorded))


async def _write(store: EventStore, wanted: DeliveryScheduled) -> StreamWrite | None:
    history = await store.read_stream(wanted.delivery_id)
    events = decide_delivery(fold(history, evolve_delivery), EnsureDelivery(wanted))
    return StreamWrite(wanted.delivery_id, len(history), events) if events else None


async def _make_one_due(
    store: EventStore, wanted: DeliveryScheduled, origin: Origin
) -> tuple[Recorded[Event], ...]:
    return await change_delivery(store, wanted.delivery_id, EnsureDelivery(wanted), origin)


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
