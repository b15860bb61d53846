"""The state of endpoints and deliveries: folds of their events."""

from dataclasses import dataclass, replace
from typing import Literal

from domain.event import Event
from domain.webhooks.events import (
    AttemptResult,
    DeliveryAttempted,
    DeliveryScheduled,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointSecretRotated,
    EndpointUpdated,
    PayloadForm,
    RedeliveryRequested,
)
from domain.webhooks.secrets import Secrets

DeliveryStatus = Literal["pending", "delivered", "failed", "disabled"]
STATUS_AFTER: dict[AttemptResult, DeliveryStatus] = {
    "delivered": "delivered",
    "retry": "pending",
    "failed": "failed",
    "disabled": "disabled",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registered receiver; a deleted one stays as a tombstone."""

    endpoint_id: str
    account_id: str
    name: str
    url: str
    event_types: tuple[str, ...]
    payload: PayloadForm
    secrets: Secrets
    secret_hint: str
    enabled: bool = True
    deleted: bool = False

    @property
    def receives(self) -> bool:
        return self.enabled and not self.deleted


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target.

    `attempts` counts every attempt there was, `tries` those since it was last asked for: the
    retry schedule starts again with a redelivery.
    """

    scheduled: DeliveryScheduled
    due_at: int
    status: DeliveryStatus = "pending"
    attempts: int = 0
    tries: int = 0


def evolve_endpoint(endpoint: Endpoint | None, event: Event) -> Endpoint:
    """The endpoint after `event`. Raises `ValueError` on a history that cannot be."""
    if isinstance(event, EndpointCreated):
        return _created(event)
    if endpoint is None:
        raise ValueError(f"{event.event_name} before webhooks.endpoint.created")
    match event:
        case EndpointUpdated():
            return replace(
                endpoint,
                name=event.name,
                url=event.url,
                event_types=event.event_types,
                payload=event.payload,
                enabled=event.enabled,
            )
        case EndpointSecretRotated():
            secrets = endpoint.secrets.rotated(event.secret, event.old_valid_until)
            return replace(endpoint, secrets=secrets, secret_hint=event.secret_hint)
        case EndpointDisabled():
            return replace(endpoint, enabled=False)
        case EndpointDeleted():
            return replace(endpoint, deleted=True)
        case _:
            raise ValueError(f"{event.event_name} is no event of an endpoint")


def _created(event: EndpointCreated) -> Endpoint:
    return Endpoint(
        endpoint_id=event.endpoint_id,
        account_id=event.account_id,
        name=event.name,
        url=event.url,
        event_types=event.event_types,
        payload=event.payload,
        secrets=Secrets(event.secret),
        secret_hint=event.secret_hint,
    )


def evolve_delivery(delivery: Delivery | None, event: Event) -> Delivery:
    """The delivery after `event`. Raises `ValueError` on a history that cannot be."""
    if isinstance(event, DeliveryScheduled):
        return Delivery(event, event.due_at)
    if delivery is None:
        raise ValueError(f"{event.event_name} before webhooks.delivery.scheduled")
    match event:
        case DeliveryAttempted():
            return replace(
                delivery,
                status=STATUS_AFTER[event.result],
                due_at=event.next_attempt_at or delivery.due_at,
                attempts=event.attempt,
                tries=delivery.tries + 1,
            )
        case RedeliveryRequested():
            return replace(delivery, status="pending", due_at=event.due_at, tries=0)
        case _:
            raise ValueError(f"{event.event_name} is no event of a delivery")
