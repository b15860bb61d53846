"""What a command does to an endpoint or a delivery: pure functions of state and command."""

from typing import assert_never

from domain.errors import Conflict, NotFound
from domain.event import Event
from domain.webhooks.commands import (
    AbandonDelivery,
    CreateEndpoint,
    DeleteEndpoint,
    DeliveryCommand,
    DisableEndpoint,
    EndpointCommand,
    EnsureDelivery,
    RecordAttempt,
    Redeliver,
    RotateSecret,
    UpdateEndpoint,
)
from domain.webhooks.events import (
    DeliveryAttempted,
    EndpointDeleted,
    EndpointDisabled,
    EndpointSecretRotated,
    EndpointUpdated,
    RedeliveryRequested,
)
from domain.webhooks.retry import Verdict, judge
from domain.webhooks.state import Delivery, Endpoint, evolve_endpoint


def decide_endpoint(endpoint: Endpoint | None, command: EndpointCommand) -> tuple[Event, ...]:
    """The events that `command` brings about. A deleted endpoint is not found."""
    if isinstance(command, CreateEndpoint):
        if endpoint is not None:
            raise Conflict("the endpoint exists already", code="endpoint_exists")
        return (command.created,)
    if endpoint is None or endpoint.deleted:
        raise NotFound("no such webhook endpoint", code="webhook_endpoint_not_found")
    match command:
        case UpdateEndpoint():
            return _update(endpoint, command)
        case RotateSecret():
            return (
                EndpointSecretRotated(
                    endpoint_id=endpoint.endpoint_id,
                    secret=command.secret,
                    secret_hint=command.secret_hint,
                    old_valid_until=command.old_valid_until,
                ),
            )
        case DisableEndpoint():
            if not endpoint.enabled:
                return ()
            return (EndpointDisabled(endpoint_id=endpoint.endpoint_id, reason=command.reason),)
        case DeleteEndpoint():
            return (EndpointDeleted(endpoint_id=endpoint.endpoint_id),)
        case _:
            assert_never(command)


def _update(endpoint: Endpoint, command: UpdateEndpoint) -> tuple[Event, ...]:
    updated = EndpointUpdated(
        endpoint_id=endpoint.endpoint_id,
        name=endpoint.name if command.name is None else command.name,
        url=command.url or endpoint.url,
        event_types=command.event_types or endpoint.event_types,
        payload=command.payload or endpoint.payload,
        enabled=endpoint.enabled if command.enabled is None else command.enabled,
    )
    return () if evolve_endpoint(endpoint, updated) == endpoint else (updated,)


def decide_delivery(delivery: Delivery | None, command: DeliveryCommand) -> tuple[Event, ...]:
    """The events that `command` brings about.

    An attempt that was recorded already, or that belongs to a delivery that has ended, changes
    nothing.
    """
    if isinstance(command, EnsureDelivery):
        return _ensure(delivery, command)
    if delivery is None:
        raise NotFound("no such webhook delivery", code="webhook_delivery_not_found")
    match command:
        case RecordAttempt():
            return _record(delivery, command)
        case AbandonDelivery():
            return _abandon(delivery, command)
        case Redeliver():
            return (_again(delivery, command.due_at),)
        case _:
            assert_never(command)


def _ensure(delivery: Delivery | None, command: EnsureDelivery) -> tuple[Event, ...]:
    if delivery is None:
        return (command.scheduled,)
    if delivery.status == "pending":
        return ()
    return (_again(delivery, command.scheduled.due_at),)


def _again(delivery: Delivery, due_at: int) -> RedeliveryRequested:
    return RedeliveryRequested(delivery_id=delivery.scheduled.delivery_id, due_at=due_at)


def _record(delivery: Delivery, command: RecordAttempt) -> tuple[Event, ...]:
    if not _is_next(delivery, command.attempt):
        return ()
    verdict = _verdict(delivery, command)
    ended_at = command.at + command.duration_ms
    return (
        DeliveryAttempted(
            delivery_id=delivery.scheduled.delivery_id,
            attempt=command.attempt,
            at=command.at,
            duration_ms=command.duration_ms,
            status_code=command.answer.status_code,
            error=command.error,
            result=verdict.result,
            next_attempt_at=None if verdict.wait_ms is None else ended_at + verdict.wait_ms,
        ),
    )


def _verdict(delivery: Delivery, command: RecordAttempt) -> Verdict:
    verdict = judge(command.policy, delivery.tries + 1, command.answer, command.jitter)
    # A ping asks whether the receiver answers now: a later answer would be of no use.
    if delivery.scheduled.ping and verdict.result != "delivered":
        return Verdict("failed")
    return verdict


def _abandon(delivery: Delivery, command: AbandonDelivery) -> tuple[Event, ...]:
    if not _is_next(delivery, command.attempt):
        return ()
    return (
        DeliveryAttempted(
            delivery_id=delivery.scheduled.delivery_id,
            attempt=command.attempt,
            at=command.at,
            duration_ms=0,
            status_code=None,
            error=command.error,
            result="disabled",
        ),
    )


def _is_next(delivery: Delivery, attempt: int) -> bool:
    return delivery.status == "pending" and attempt == delivery.attempts + 1
