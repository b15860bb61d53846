"""Which deliveries a recorded event calls for: a pure function of the event and the directory."""

from domain.event import Recorded
from domain.ids import Kind, derived_id
from domain.webhooks.directory import Directory
from domain.webhooks.events import DeliveryScheduled
from domain.webhooks.state import Endpoint
from domain.webhooks.types import TYPE_OF, JobEnded, subscribes, type_for


def deliveries_of(
    recorded: Recorded[JobEnded], directory: Directory
) -> tuple[DeliveryScheduled, ...]:
    """One delivery to the job's own URL, if it wants this type, and one to each subscriber.

    The message id is the id of the event told. The delivery id is derived from it and the
    target, so that scheduling twice names the same stream.
    """
    event_type = TYPE_OF[type(recorded.event)]
    webhook = recorded.event.webhook
    own = (
        (_scheduled(recorded, event_type, webhook.url, None),)
        if webhook is not None and (not webhook.events or subscribes(webhook.events, event_type))
        else ()
    )
    endpoints = directory.receiving(recorded.account_id, recorded.position)
    told = (delivery_to(recorded, endpoint) for endpoint in endpoints)
    return (*own, *(delivery for delivery in told if delivery is not None))


def delivery_to(recorded: Recorded[JobEnded], endpoint: Endpoint) -> DeliveryScheduled | None:
    """The delivery that tells `endpoint` of the event, if it wants to be told."""
    event_type = type_for(endpoint.event_types, recorded.event)
    if event_type is None:
        return None
    return _scheduled(recorded, event_type, endpoint.url, endpoint.endpoint_id)


def _scheduled(
    recorded: Recorded[JobEnded], event_type: str, url: str, endpoint_id: str | None
) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id=derived_id(Kind.WEBHOOK_DELIVERY, recorded.event_id, endpoint_id or url),
        message_id=recorded.event_id,
        event_type=event_type,
        url=url,
        endpoint_id=endpoint_id,
        job_id=recorded.event.job_id,
        source_position=recorded.position,
        due_at=recorded.recorded_at,
    )
