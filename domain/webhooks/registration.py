"""Registering endpoints and rotating secrets: what makes and seals a secret."""

from dataclasses import dataclass

from domain.errors import Conflict
from domain.event import Event, Origin, Recorded
from domain.execute import execute
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import EventStore
from domain.ports.payloads import Payloads
from domain.ports.secrets import Secrets
from domain.sealed import Sealed
from domain.webhooks.commands import CreateEndpoint, RotateSecret
from domain.webhooks.events import DefaultSecretRotated, EndpointCreated, PayloadForm
from domain.webhooks.handle import change_endpoint
from domain.webhooks.secrets import default_secret_stream, secret_context, secret_hint

# Every event goes to every subscribed endpoint, so their number bounds the work of one event.
MAX_ENDPOINTS = 100

Appended = tuple[Recorded[Event], ...]


@dataclass(frozen=True, slots=True)
class RegistrationPorts:
    """What making a secret and recording it needs."""

    store: EventStore
    payloads: Payloads
    secrets: Secrets
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """The endpoint to register; its URL was checked."""

    endpoint_id: str
    name: str
    url: str
    event_types: tuple[str, ...]
    payload: PayloadForm


async def register_endpoint(
    ports: RegistrationPorts, wanted: NewEndpoint, existing: int, origin: Origin
) -> tuple[Appended, str]:
    """Records the endpoint; returns the events and its secret in clear.

    Raises `Conflict` when the account has `MAX_ENDPOINTS` already.
    """
    if existing >= MAX_ENDPOINTS:
        raise Conflict(
            f"an account has at most {MAX_ENDPOINTS} webhook endpoints",
            code="webhook_endpoint_limit",
        )
    endpoint_id = wanted.endpoint_id
    secret, sealed = await _new_secret(ports, origin.account_id, endpoint_id)
    created = EndpointCreated(
        endpoint_id=endpoint_id,
        account_id=origin.account_id,
        name=wanted.name,
        url=wanted.url,
        event_types=wanted.event_types,
        payload=wanted.payload,
        secret=sealed,
        secret_hint=secret_hint(secret),
    )
    return await change_endpoint(ports.store, endpoint_id, CreateEndpoint(created), origin), secret


async def rotate_endpoint_secret(
    ports: RegistrationPorts, endpoint_id: str, overlap_seconds: int, origin: Origin
) -> tuple[Appended, str]:
    """Gives the endpoint a new secret; returns the events and the secret in clear."""
    secret, sealed = await _new_secret(ports, origin.account_id, endpoint_id)
    until = ports.clock.now() + overlap_seconds * 1000
    command = RotateSecret(sealed, secret_hint(secret), until)
    return await change_endpoint(ports.store, endpoint_id, command, origin), secret


async def rotate_default_secret(
    ports: RegistrationPorts, overlap_seconds: int, origin: Origin
) -> tuple[Appended, str]:
    """Gives the account's per-job URLs a new secret; returns the events and the secret."""
    account_id = origin.account_id
    secret, sealed = await _new_secret(ports, account_id, account_id)
    rotated = DefaultSecretRotated(
        account_id=account_id,
        secret=sealed,
        old_valid_until=ports.clock.now() + overlap_seconds * 1000,
    )
    stream = default_secret_stream(account_id)
    recorded = await execute(
        ports.store,
        stream,
        rotated,
        origin,
        decide=_rotate,
        evolve=_count,
        stream_of=lambda _: stream,
    )
    return recorded, secret


def _rotate(_: int | None, rotated: DefaultSecretRotated) -> tuple[Event, ...]:
    return (rotated,)


def _count(rotations: int | None, _: Event) -> int:
    return (rotations or 0) + 1


async def _new_secret(
    ports: RegistrationPorts, account_id: str, owner_id: str
) -> tuple[str, Sealed]:
    secret = ports.secrets.new_webhook_secret()
    sealed = await ports.payloads.seal(account_id, secret_context(owner_id), secret.encode())
    return secret, sealed
