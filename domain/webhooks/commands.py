"""What can be asked of an endpoint and of a delivery."""

from dataclasses import dataclass

from domain.sealed import Sealed
from domain.webhooks.events import DeliveryScheduled, EndpointCreated, PayloadForm
from domain.webhooks.retry import Answer, RetryPolicy


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """Register the endpoint whose target was checked and whose secret was sealed at the door."""

    created: EndpointCreated


@dataclass(frozen=True, slots=True)
class UpdateEndpoint:
    """Change what is not None."""

    name: str | None = None
    url: str | None = None
    event_types: tuple[str, ...] | None = None
    payload: PayloadForm | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """Sign with a new secret, and with the old one as well until `old_valid_until`."""

    secret: Sealed
    secret_hint: str
    old_valid_until: int


@dataclass(frozen=True, slots=True)
class DisableEndpoint:
    """The receiver wants nothing more."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeleteEndpoint:
    """The customer removes the endpoint."""


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """The `attempt`-th attempt (from 1) began at `at` (Unix ms) and brought `answer`."""

    attempt: int
    at: int
    duration_ms: int
    answer: Answer
    error: str | None
    policy: RetryPolicy
    jitter: float


@dataclass(frozen=True, slots=True)
class AbandonDelivery:
    """The target is off: nothing was sent and nothing will be."""

    attempt: int
    at: int
    error: str


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Make an existing delivery again, from `due_at` on."""

    due_at: int


@dataclass(frozen=True, slots=True)
class EnsureDelivery:
    """Schedule the delivery if there is none, make it again if it has ended."""

    scheduled: DeliveryScheduled


EndpointCommand = CreateEndpoint | UpdateEndpoint | RotateSecret | DisableEndpoint | DeleteEndpoint
DeliveryCommand = RecordAttempt | AbandonDelivery | Redeliver | EnsureDelivery
