"""Webhooks: endpoints, their secrets, and the default secret of per-job URLs."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Abreast, Caller, Ports, require
from api.idempotency import Creating, require_same
from api.ports import ApiPorts
from api.routes import webhook_deliveries
from api.webhook_bodies import (
    EndpointBody,
    EndpointChanges,
    PingBody,
    ReplayBody,
    SecretRotationBody,
)
from domain.errors import Conflict, InvalidRequest, NotFound
from domain.event import Event, Recorded
from domain.ids import Kind
from domain.webhooks.commands import DeleteEndpoint, EndpointCommand, UpdateEndpoint
from domain.webhooks.directory import Listed
from domain.webhooks.events import EndpointCreated
from domain.webhooks.handle import change_endpoint
from domain.webhooks.registration import (
    NewEndpoint,
    RegistrationPorts,
    register_endpoint,
    rotate_default_secret,
    rotate_endpoint_secret,
)
from domain.webhooks.replay import Window, replay
from domain.webhooks.retry import is_success
from domain.webhooks.types import EVENT_TYPES

WebhookCaller = Annotated[Caller, require("webhooks")]
router = APIRouter(prefix="/v1", tags=["Webhooks"], dependencies=[Abreast])
router.include_router(webhook_deliveries.router)


def endpoint_object(listed: Listed) -> dict[str, Any]:
    """An endpoint as its owner sees it; the secret is not in it."""
    endpoint = listed.endpoint
    return {
        "id": endpoint.endpoint_id,
        "object": "webhook_endpoint",
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "payload": endpoint.payload,
        "enabled": endpoint.enabled,
        "created_at": listed.created_at // 1000,
        "updated_at": listed.updated_at // 1000,
        "signing_secret_hint": f"whsec_…{endpoint.secret_hint}",
    }


@router.get("/webhook_event_types")
async def list_event_types(_: WebhookCaller) -> dict[str, Any]:
    """The types that an endpoint can subscribe to."""
    return {"object": "list", "data": list(EVENT_TYPES)}


@router.get("/webhook_endpoints/default/secret")
async def get_default_secret(caller: WebhookCaller, ports: Ports) -> dict[str, Any]:
    """The secret that signs messages to the URLs of single jobs."""
    secrets = ports.webhooks.default_secrets(caller.account_id)
    if secrets is None:
        raise NotFound("this account has no default webhook secret")
    secret = await ports.payloads.open(caller.account_id, secrets.current)
    return _default_secret_object(secret.decode())


@router.post("/webhook_endpoints/default/rotate_secret")
async def rotate_default(
    caller: WebhookCaller, ports: Ports, body: SecretRotationBody | None = None
) -> dict[str, Any]:
    """Replaces the secret that signs messages to the URLs of single jobs."""
    overlap = 0 if body is None else body.overlap
    recorded, secret = await rotate_default_secret(_registration(ports), overlap, caller.origin())
    await _applied(ports, recorded)
    return _default_secret_object(secret)


@router.post("/webhook_endpoints", status_code=201)
async def create_endpoint(
    body: EndpointBody, caller: WebhookCaller, ports: Ports, creation: Creating
) -> dict[str, Any]:
    """Registers an endpoint. Its signing secret is in this answer alone.

    A replay under the same Idempotency-Key has the endpoint and no secret.
    """
    await ports.targets.check(body.url)
    wanted = NewEndpoint(
        creation.id_for(caller, Kind.WEBHOOK_ENDPOINT),
        body.name,
        body.url,
        _unique(body.event_types),
        body.payload,
    )
    try:
        secret = await _register(ports, caller, wanted)
    except Conflict as conflict:
        if conflict.code != "endpoint_exists":
            raise
        made = await creation.made_before(wanted.endpoint_id)
        require_same(_is_made_from(made.event, wanted))
        await _applied(ports, (made,))
        return {**_shown(ports, caller, wanted.endpoint_id), "signing_secret": None}
    return {**_shown(ports, caller, wanted.endpoint_id), "signing_secret": secret}


async def _register(ports: ApiPorts, caller: Caller, wanted: NewEndpoint) -> str:
    """Records the endpoint, one of an account at a time, so that the limit holds on this node."""
    async with ports.endpoint_locks.of(caller.account_id):
        # The endpoint itself does not count: a repeated request adds none.
        mine = ports.webhooks.of_account(caller.account_id)
        existing = sum(listed.endpoint.endpoint_id != wanted.endpoint_id for listed in mine)
        recorded, secret = await register_endpoint(
            _registration(ports), wanted, existing, caller.origin()
        )
        await _applied(ports, recorded)
    return secret


def _is_made_from(made: Event, wanted: NewEndpoint) -> bool:
    return isinstance(made, EndpointCreated) and wanted == NewEndpoint(
        made.endpoint_id, made.name, made.url, made.event_types, made.payload
    )


@router.get("/webhook_endpoints")
async def list_endpoints(
    caller: WebhookCaller,
    ports: Ports,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """The account's endpoints, newest first."""
    newest_first = [endpoint_object(e) for e in ports.webhooks.of_account(caller.account_id)][::-1]
    rest = newest_first if after is None else _after(newest_first, after)
    shown = rest[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(rest) > limit,
    }


@router.get("/webhook_endpoints/{endpoint_id}")
async def get_endpoint(endpoint_id: str, caller: WebhookCaller, ports: Ports) -> dict[str, Any]:
    """One endpoint."""
    return _shown(ports, caller, endpoint_id)


@router.post("/webhook_endpoints/{endpoint_id}")
async def update_endpoint(
    endpoint_id: str, body: EndpointChanges, caller: WebhookCaller, ports: Ports
) -> dict[str, Any]:
    """Changes what is named; `enabled` turns a disabled endpoint on again."""
    _own(ports, caller, endpoint_id)
    if body.url is not None:
        await ports.targets.check(body.url)
    command = UpdateEndpoint(
        name=body.name,
        url=body.url,
        event_types=None if body.event_types is None else _unique(body.event_types),
        payload=body.payload,
        enabled=body.enabled,
    )
    await _change(ports, caller, endpoint_id, command)
    return _shown(ports, caller, endpoint_id)


@router.delete("/webhook_endpoints/{endpoint_id}")
async def delete_endpoint(endpoint_id: str, caller: WebhookCaller, ports: Ports) -> dict[str, Any]:
    """Removes the endpoint; what waits for it is not sent."""
    _own(ports, caller, endpoint_id)
    await _change(ports, caller, endpoint_id, DeleteEndpoint())
    return {"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True}


@router.post("/webhook_endpoints/{endpoint_id}/rotate_secret")
async def rotate_secret(
    endpoint_id: str, caller: WebhookCaller, ports: Ports, body: SecretRotationBody | None = None
) -> dict[str, Any]:
    """Gives the endpoint a new signing secret, which is in this answer alone."""
    _own(ports, caller, endpoint_id)
    overlap = 0 if body is None else body.overlap
    recorded, secret = await rotate_endpoint_secret(
        _registration(ports), endpoint_id, overlap, caller.origin()
    )
    await _applied(ports, recorded)
    return {**_shown(ports, caller, endpoint_id), "signing_secret": secret}


@router.post("/webhook_endpoints/{endpoint_id}/test")
async def ping_endpoint(
    endpoint_id: str, caller: WebhookCaller, ports: Ports, body: PingBody | None = None
) -> dict[str, Any]:
    """Sends a signed test message now, once, and says what the receiver answered."""
    endpoint = _own(ports, caller, endpoint_id).endpoint
    event_type = (body or PingBody()).event_type
    result = await ports.pings.ping(endpoint, event_type, caller.origin())
    return {
        "object": "webhook_endpoint.test",
        "webhook_endpoint_id": endpoint_id,
        "event_type": event_type,
        "status_code": result.status_code,
        "success": is_success(result.status_code),
        "error": result.error,
    }


@router.post("/webhook_endpoints/{endpoint_id}/replay")
async def replay_endpoint(
    endpoint_id: str, body: ReplayBody, caller: WebhookCaller, ports: Ports
) -> dict[str, Any]:
    """Delivers the events of at most 7 days, those missed while the endpoint was off as well.

    One call makes at most 1,000 deliveries due. With `has_more`, call again with the answer's
    `since` and `until`, and its `next_after` as `after`.
    """
    endpoint = _own(ports, caller, endpoint_id).endpoint
    if not endpoint.enabled:
        raise Conflict("the endpoint is disabled; enable it first", code="endpoint_disabled")
    now = ports.clock.now()
    until = now if body.until is None else round(body.until * 1000)
    window = Window(round(body.since * 1000), until, body.after)
    replayed = await replay(ports.store, endpoint, window, now, caller.origin())
    return {
        "object": "webhook_endpoint.replay",
        "webhook_endpoint_id": endpoint_id,
        "since": window.since / 1000,
        "until": window.until / 1000,
        "deliveries": replayed.deliveries,
        "has_more": replayed.next_after is not None,
        "next_after": replayed.next_after,
    }


def _registration(ports: ApiPorts) -> RegistrationPorts:
    return RegistrationPorts(ports.store, ports.payloads, ports.secrets, ports.clock, ports.ids)


def _default_secret_object(secret: str) -> dict[str, Any]:
    return {"object": "webhook_endpoint.default_secret", "key": secret}


def _unique(event_types: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event_types))


def _after(items: Sequence[dict[str, Any]], after: str) -> Sequence[dict[str, Any]]:
    for number, item in enumerate(items, start=1):
        if item["id"] == after:
            return items[number:]
    raise InvalidRequest("after must be the id of an item of this list", param="after")


def _own(ports: ApiPorts, caller: Caller, endpoint_id: str) -> Listed:
    listed = ports.webhooks.get(caller.account_id, endpoint_id)
    if listed is None:
        raise NotFound(f"no such webhook endpoint: {endpoint_id[:80]}")
    return listed


def _shown(ports: ApiPorts, caller: Caller, endpoint_id: str) -> dict[str, Any]:
    return endpoint_object(_own(ports, caller, endpoint_id))


async def _change(
    ports: ApiPorts, caller: Caller, endpoint_id: str, command: EndpointCommand
) -> None:
    await _applied(ports, await change_endpoint(ports.store, endpoint_id, command, caller.origin()))


async def _applied(ports: ApiPorts, recorded: Sequence[Recorded[Event]]) -> None:
    """Waits until this node's directory holds what was just recorded."""
    if recorded:
        await ports.webhooks_follower.reached(recorded[-1].position)
