"""What an event does besides standing in the log: to wallets and to work queues.

The event store applies these effects in the transaction that appends the event, and the
balances read model replays the same ones. This is the only place that says which event moves
money and which one starts or ends a piece of work.
"""

from typing import Literal

from domain.billing.events import Bucket, ChargeRecorded, CreditGranted
from domain.event import Event, Recorded
from domain.inference.events import (
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobExpired,
    JobFailed,
    JobStarted,
    Lane,
    LeaseExpired,
    Usage,
)
from domain.value import value
from domain.webhooks.events import DeliveryAttempted, DeliveryScheduled, RedeliveryRequested

Queue = Literal["dispatch", "webhooks"]


@value()
class Hold:
    """Set `picodollars` of the event's account aside.

    A hold bears the id of the stream that it is for, and that stream is written in the append
    that makes the hold and in the one that ends it.
    """

    hold_id: str
    picodollars: int


@value()
class Capture:
    """End the hold and charge this much of it."""

    hold_id: str
    picodollars: int


@value()
class Release:
    """End the hold and charge nothing."""

    hold_id: str


@value()
class Credit:
    """Add to one bucket of the event's account."""

    bucket: Bucket
    picodollars: int


@value()
class Enqueue:
    """Put a piece of work into a queue; a second time changes nothing.

    `position` is that of the event that asks for it, `cost` its size for fair scheduling,
    `due_at` and `deadline_at` Unix milliseconds.
    """

    queue: Queue
    item_id: str
    account_id: str
    lane: Lane
    position: int
    cost: int = 1
    due_at: int = 0
    deadline_at: int | None = None


@value()
class Lease:
    """Mark an item as taken by `owner` until `until` (Unix milliseconds)."""

    queue: Queue
    item_id: str
    lease_id: str
    owner: str
    until: int


@value()
class Renew:
    """Prolong a lease until `until`, unless it was lost meanwhile."""

    queue: Queue
    item_id: str
    lease_id: str
    until: int


@value()
class Requeue:
    """Give an item back, to be taken from `due_at` on."""

    queue: Queue
    item_id: str
    due_at: int = 0


@value()
class Done:
    """Remove an item."""

    queue: Queue
    item_id: str


WalletEffect = Hold | Capture | Release | Credit
WorkEffect = Enqueue | Lease | Renew | Requeue | Done
Effect = WalletEffect | WorkEffect


def effects_of(recorded: Recorded[Event]) -> tuple[Effect, ...]:
    """The effects of one event, in order: first on the wallet, then on the work queues."""
    money, work = wallet_effect_of(recorded.event), _work_effects_of(recorded)
    return work if money is None else (money, *work)


def wallet_effect_of(event: Event) -> WalletEffect | None:
    """What the event does to its account's wallet, if anything."""
    match event:
        case JobAccepted():
            return Hold(event.job_id, event.hold_picodollars)
        case ChargeRecorded():
            return Capture(event.job_id, event.picodollars)
        case JobCancelled(usage=Usage()):
            return None  # the charge beside it ends the hold
        case JobFailed() | JobCancelled() | JobExpired():
            return Release(event.job_id)
        case CreditGranted():
            return Credit(event.bucket, event.picodollars)
        case _:
            return None


def _work_effects_of(recorded: Recorded[Event]) -> tuple[WorkEffect, ...]:
    event = recorded.event
    match event:
        case JobAccepted():
            return (_job(recorded, event),)
        case JobStarted():
            return (
                Lease("dispatch", event.job_id, event.lease_id, event.worker_id, event.lease_until),
            )
        case LeaseExpired():
            return (Requeue("dispatch", event.job_id),)
        case JobCompleted() | JobFailed() | JobCancelled() | JobExpired():
            return (Done("dispatch", event.job_id),)
        case DeliveryScheduled():
            return (_delivery(recorded, event.delivery_id, event.due_at),)
        case RedeliveryRequested():
            return (
                _delivery(recorded, event.delivery_id, event.due_at),
                Requeue("webhooks", event.delivery_id, event.due_at),
            )
        case DeliveryAttempted(next_attempt_at=None):
            return (Done("webhooks", event.delivery_id),)
        case DeliveryAttempted(next_attempt_at=due_at):
            return (Requeue("webhooks", event.delivery_id, due_at or 0),)
        case _:
            return ()


def _job(recorded: Recorded[Event], accepted: JobAccepted) -> Enqueue:
    return Enqueue(
        "dispatch",
        accepted.job_id,
        recorded.account_id,
        accepted.lane,
        recorded.position,
        cost=accepted.estimated_input_tokens + accepted.max_output_tokens,
        deadline_at=accepted.deadline_at,
    )


def _delivery(recorded: Recorded[Event], delivery_id: str, due_at: int) -> Enqueue:
    return Enqueue(
        "webhooks", delivery_id, recorded.account_id, "standard", recorded.position, due_at=due_at
    )
