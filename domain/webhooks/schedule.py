"""Which deliveries a recorded event calls for: a pure function of the event and the directory."""

from domain.event import Recorded
from domain.ids import Kind, derived_id
from domain.webhooks.directory import Directory
from domain.webhooks.events import DeliveryScheduled
from domain.webhooks.state import Endpoint
from domain.webhooks.types import TYPE_OF, JobEnded, subscribes


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
        (_to_url(recorded, webhook.url),)
        if webhook is not None and (not webhook.events or subscribes(webhook.events, event_type))
        else ()
    )
    endpoints = directory.subscribed(recorded.account_id, event_type, recorded.position)
    return (*own, *(delivery_to(recorded, endpoint) for endpoint in endpoints))


def delivery_to(recorded: Recorded[JobEnded], endpoint: Endpoint) -> DeliveryScheduled:
    """The delivery that tells `endpoint` of the event."""
    return _scheduled(recorded, endpoint.url, endpoint.endpoint_id)


def _to_url(recorded: Recorded[JobEnded], url: str) -> DeliveryScheduled:
    return _scheduled(recorded, url, None)


def _scheduled(
    recorded: Recorded[JobEnded], url: str, endpoint_id: str | None
) -> DeliveryScheduled:
    return DeliveryScheduled(
        delivery_id=derived_id(Kind.WEBHOOK_DELIVERY, recorded.event_id, endpoint_id or url),
        message_id=recorded.event_id,
        event_type=TYPE_OF[type(recorded.event)],
        url=url,
        endpoint_id=endpoint_id,
        job_id=recorded.event.job_id,
        source_position=recorded.position,
        due_at=recorded.recorded_at,
    )
