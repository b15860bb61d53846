"""Commands to endpoints and deliveries, decided and recorded on their streams."""

from domain.event import Event, Origin, Recorded
from domain.execute import execute
from domain.ports.event_store import EventStore
from domain.webhooks.commands import DeliveryCommand, EndpointCommand
from domain.webhooks.decide import decide_delivery, decide_endpoint
from domain.webhooks.state import Delivery, evolve_delivery, evolve_endpoint


async def change_endpoint(
    store: EventStore, endpoint_id: str, command: EndpointCommand, origin: Origin
) -> tuple[Recorded[Event], ...]:
    """Records what `command` does to the endpoint; nothing when it changes nothing."""
    return await execute(
        store,
        endpoint_id,
        command,
        origin,
        decide=decide_endpoint,
        evolve=evolve_endpoint,
        stream_of=lambda _: endpoint_id,
    )


async def change_delivery(
    store: EventStore,
    delivery_id: str,
    command: DeliveryCommand,
    origin: Origin,
    *,
    known: tuple[Delivery | None, int] | None = None,
) -> tuple[Recorded[Event], ...]:
    """Records what `command` does to the delivery; `known` as in `execute`."""
    return await execute(
        store,
        delivery_id,
        command,
        origin,
        decide=decide_delivery,
        evolve=evolve_delivery,
        stream_of=lambda _: delivery_id,
        known=known,
    )
