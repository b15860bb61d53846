"""The events of webhook endpoints and deliveries."""

from typing import Literal

from domain.event import Event, event
from domain.sealed import Sealed

PayloadForm = Literal["thin", "full"]
AttemptResult = Literal["delivered", "retry", "failed", "disabled"]


@event("webhooks.endpoint.created", version=1)
class EndpointCreated(Event):
    """An endpoint gets events of `event_types` ("*": of every type) from now on.

    `secret_hint` is the end of the signing secret, for people to tell secrets apart.
    """

    endpoint_id: str
    account_id: str
    name: str
    url: str
    event_types: tuple[str, ...]
    payload: PayloadForm
    secret: Sealed
    secret_hint: str


@event("webhooks.endpoint.updated", version=1)
class EndpointUpdated(Event):
    """Name, URL, types, payload form and activity as they are from now on."""

    endpoint_id: str
    name: str
    url: str
    event_types: tuple[str, ...]
    payload: PayloadForm
    enabled: bool


@event("webhooks.endpoint.secret_rotated", version=1)
class EndpointSecretRotated(Event):
    """A new secret; deliveries carry both signatures until `old_valid_until`."""

    endpoint_id: str
    secret: Sealed
    secret_hint: str
    old_valid_until: int


@event("webhooks.endpoint.default_secret_rotated", version=1)
class DefaultSecretRotated(Event):
    """A new secret for the account's per-job URLs; the old one as for an endpoint."""

    account_id: str
    secret: Sealed
    old_valid_until: int


@event("webhooks.endpoint.disabled", version=1)
class EndpointDisabled(Event):
    """The receiver answered 410 Gone; an update can enable the endpoint again."""

    endpoint_id: str
    reason: str


@event("webhooks.endpoint.deleted", version=1)
class EndpointDeleted(Event):
    """The endpoint gets nothing more."""

    endpoint_id: str


@event("webhooks.delivery.scheduled", version=1)
class DeliveryScheduled(Event):
    """One event is due at one target. `message_id` is the webhook id, the same on every attempt.

    `source_position` is the position of the event told; `job_id` the job it is about, if any.
    `endpoint_id` is None for a job's own URL. `ping` marks a test delivery.
    """

    delivery_id: str
    message_id: str
    event_type: str
    url: str
    endpoint_id: str | None
    job_id: str | None
    source_position: int
    due_at: int
    ping: bool = False


@event("webhooks.delivery.attempted", version=1)
class DeliveryAttempted(Event):
    """One attempt and what came of it; `next_attempt_at` is set when `result` is "retry".

    Without a `status_code` no answer came; `error` says why, also when nothing was sent because
    the target was refused or its endpoint is off.
    """

    delivery_id: str
    attempt: int
    at: int
    duration_ms: int
    status_code: int | None
    error: str | None
    result: AttemptResult
    next_attempt_at: int | None = None


@event("webhooks.delivery.redelivery_requested", version=1)
class RedeliveryRequested(Event):
    """A customer wants the delivery made again, with the same message id."""

    delivery_id: str
    due_at: int


EVENTS: tuple[type[Event], ...] = (
    EndpointCreated,
    EndpointUpdated,
    EndpointSecretRotated,
    DefaultSecretRotated,
    EndpointDisabled,
    EndpointDeleted,
    DeliveryScheduled,
    DeliveryAttempted,
    RedeliveryRequested,
)
