"""Webhook deliveries: every attempt visible, any delivery made again."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Caller, Ports, require
from api.paging import PageQuery
from api.reads import answer
from domain.errors import Conflict, NotFound
from domain.execute import fold
from domain.ids import Kind, is_id
from domain.webhooks.commands import Redeliver
from domain.webhooks.handle import change_delivery
from domain.webhooks.state import DeliveryStatus, evolve_delivery
from projections import queries

WebhookCaller = Annotated[Caller, require("webhooks")]
Id = Annotated[str | None, Query(max_length=100)]
router = APIRouter(prefix="/webhook_deliveries")


@router.get("")
async def list_deliveries(
    caller: WebhookCaller,
    ports: Ports,
    page: PageQuery,
    event_id: Id = None,
    job_id: Id = None,
    endpoint_id: Id = None,
    status: DeliveryStatus | None = None,
) -> dict[str, Any]:
    """The account's deliveries with their attempts."""
    query = queries.list_deliveries(
        caller.account_id,
        page,
        event_id=event_id,
        job_id=job_id,
        endpoint_id=endpoint_id,
        status=status,
    )
    return await answer(ports, query, page)


@router.get("/{delivery_id}")
async def get_delivery(delivery_id: str, caller: WebhookCaller, ports: Ports) -> dict[str, Any]:
    """One delivery with its attempts."""
    return await answer(ports, queries.find_delivery(caller.account_id, delivery_id))


@router.post("/{delivery_id}/redeliver")
async def redeliver(delivery_id: str, caller: WebhookCaller, ports: Ports) -> dict[str, Any]:
    """Makes the delivery again now, with the same message id, and retries it anew."""
    known = is_id(Kind.WEBHOOK_DELIVERY, delivery_id)
    history = await ports.store.read_stream(delivery_id) if known else ()
    delivery = fold(history, evolve_delivery)
    if delivery is None or history[0].account_id != caller.account_id:
        raise NotFound(f"no such webhook delivery: {delivery_id[:80]}")
    endpoint_id = delivery.scheduled.endpoint_id
    if endpoint_id is not None:
        listed = ports.webhooks.get(caller.account_id, endpoint_id)
        if listed is None or not listed.endpoint.receives:
            raise Conflict("the endpoint is disabled or deleted", code="endpoint_disabled")
    command = Redeliver(ports.clock.now())
    await change_delivery(
        ports.store, delivery_id, command, caller.origin(), known=(delivery, len(history))
    )
    return await answer(ports, queries.find_delivery(caller.account_id, delivery_id))
