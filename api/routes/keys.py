"""The account and its API keys."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter

from api.auth import Abreast, Caller, Ports, require
from api.bodies import KeyBody, KeyChanges, RotationBody
from api.idempotency import Creating, require_same
from api.paging import KnownParameters, SliceQuery
from api.ports import ApiPorts
from api.routes import provider_keys
from domain.access.commands import (
    KEEP,
    CreateKey,
    KeyCommand,
    RevokeKey,
    RotateKey,
    UpdateKey,
)
from domain.access.decide import decide_key, stream_of
from domain.access.directory import KeyEntry
from domain.access.events import KeyCreated
from domain.access.scopes import ALL_SCOPES, Granter
from domain.access.state import evolve_key
from domain.errors import Conflict, NotFound
from domain.event import Event, Recorded
from domain.execute import execute
from domain.ids import Kind
from domain.inference.view import seconds

router = APIRouter(prefix="/v1", tags=["Keys and account"], dependencies=[KnownParameters, Abreast])
router.include_router(provider_keys.router)
Owner = Annotated[Caller, require("keys")]
AnyCaller = Annotated[Caller, require(*ALL_SCOPES)]


def key_object(key: KeyEntry) -> dict[str, Any]:
    """A key as its owner sees it; the secret is not in it."""
    return {
        "id": key.key_id,
        "object": "key",
        "name": key.name,
        "environment": key.environment,
        "prefix": key.prefix,
        "last4": key.last4,
        "scopes": sorted(key.scopes),
        "status": "active" if key.revoked_at is None else "revoked",
        "created_at": seconds(key.created_at),
        "expires_at": seconds(key.expires_at),
        "revoked_at": seconds(key.revoked_at),
        "on_disconnect": key.on_disconnect,
    }


def milliseconds(unix_seconds: float | None) -> int | None:
    """Unix seconds of the wire as Unix milliseconds."""
    return None if unix_seconds is None else int(unix_seconds * 1000)


@router.get("/account")
async def get_own_account(caller: AnyCaller, ports: Ports) -> dict[str, Any]:
    """The account that the key belongs to."""
    account = ports.keys.account(caller.account_id)
    if account is None:
        raise NotFound("no such account")
    return {
        "id": account.account_id,
        "object": "account",
        "name": account.name,
        "created_at": seconds(account.created_at),
        "key": key_object(caller.key),
    }


@router.get("/keys")
async def list_keys(caller: Owner, ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The account's keys, revoked ones too."""
    return part.of([key_object(key) for key in ports.keys.keys_of(caller.account_id)])


@router.post("/keys", status_code=201)
async def create_key(
    body: KeyBody, caller: Owner, ports: Ports, creation: Creating
) -> dict[str, Any]:
    """Makes a key. Its secret is in this answer and nowhere else.

    A replay under the same Idempotency-Key has the key and no secret.
    """
    secret = ports.secrets.new_api_key(body.environment)
    granter = _granter(caller)
    command = CreateKey(
        key_id=creation.id_for(caller, Kind.KEY),
        account_id=caller.account_id,
        name=body.name,
        environment=body.environment,
        prefix=secret.prefix,
        last4=secret.last4,
        key_hash=secret.key_hash,
        scopes=granter.scopes if body.scopes is None else tuple(body.scopes),
        granter=granter,
        now=ports.clock.now(),
        expires_at=milliseconds(body.expires_at)
        if "expires_at" in body.model_fields_set
        else granter.expires_at,
        on_disconnect=body.on_disconnect,
    )
    try:
        key = await _change(ports, caller, command.key_id, command)
    except Conflict:
        made = await creation.made_before(command.key_id)
        require_same(_is_made_from(made.event, command))
        await ports.keys_follower.reached(made.position)
        return {"key": key_object(_own_key(ports, caller, command.key_id)), "api_key": None}
    return {"key": key, "api_key": secret.secret}


def _is_made_from(made: Event, command: CreateKey) -> bool:
    return (
        isinstance(made, KeyCreated)
        and made.name == command.name.strip()
        and made.environment == command.environment
        and set(made.scopes) == set(command.scopes)
        and made.expires_at == command.expires_at
        and made.on_disconnect == command.on_disconnect
    )


@router.get("/keys/{key_id}")
async def get_key(key_id: str, caller: Owner, ports: Ports) -> dict[str, Any]:
    """One key."""
    return key_object(_own_key(ports, caller, key_id))


@router.patch("/keys/{key_id}")
async def update_key(key_id: str, body: KeyChanges, caller: Owner, ports: Ports) -> dict[str, Any]:
    """Changes name, scopes, expiry or policy; what is left out stays."""
    _own_key(ports, caller, key_id)
    command = UpdateKey(
        granter=_granter(caller),
        now=ports.clock.now(),
        name=KEEP if body.name is None else body.name,
        scopes=KEEP if body.scopes is None else tuple(body.scopes),
        expires_at=milliseconds(body.expires_at) if "expires_at" in body.model_fields_set else KEEP,
        on_disconnect=KEEP if body.on_disconnect is None else body.on_disconnect,
    )
    return await _change(ports, caller, key_id, command)


@router.post("/keys/{key_id}/rotate")
async def rotate_key(
    key_id: str,
    caller: Owner,
    ports: Ports,
    creation: Creating,
    body: RotationBody | None = None,
) -> dict[str, Any]:
    """Gives the key a new secret; the old one works for `overlap_seconds` more.

    A replay under the same Idempotency-Key rotates nothing: it has the key and no secret.
    """
    key = _own_key(ports, caller, key_id)
    secret = ports.secrets.new_api_key(key.environment)  # type: ignore[arg-type]
    command = RotateKey(
        last4=secret.last4,
        key_hash=secret.key_hash,
        overlap_seconds=0 if body is None else body.overlap_seconds,
        granter=_granter(caller),
        now=ports.clock.now(),
        idempotency_key_hash=creation.key_hash,
    )
    is_rotated = await _executed(ports, caller, key_id, command)
    if not is_rotated:
        creation.replayed()
    shown = key_object(_own_key(ports, caller, key_id))
    return {"key": shown, "api_key": secret.secret if is_rotated else None}


@router.post("/keys/{key_id}/revoke")
async def revoke_key(key_id: str, caller: Owner, ports: Ports) -> dict[str, Any]:
    """Stops the key at once, on every node. A second time changes nothing."""
    _own_key(ports, caller, key_id)
    return await _change(ports, caller, key_id, RevokeKey(_granter(caller)))


@router.delete("/keys/{key_id}")
async def delete_key(key_id: str, caller: Owner, ports: Ports) -> dict[str, Any]:
    """The same as revoking."""
    return await revoke_key(key_id, caller, ports)


def _granter(caller: Caller) -> Granter:
    return Granter(tuple(caller.key.scopes), caller.key.expires_at)


def _own_key(ports: ApiPorts, caller: Caller, key_id: str) -> KeyEntry:
    key = ports.keys.key(caller.account_id, key_id)
    if key is None:
        raise NotFound(f"no such key: {key_id[:80]}")
    return key


async def _change(
    ports: ApiPorts, caller: Caller, key_id: str, command: KeyCommand
) -> dict[str, Any]:
    """Executes a command on a key and returns the key as it then is, here and now."""
    await _executed(ports, caller, key_id, command)
    return key_object(_own_key(ports, caller, key_id))


async def _executed(ports: ApiPorts, caller: Caller, key_id: str, command: KeyCommand) -> bool:
    """Whether the command changed the key; the directory holds the outcome either way."""
    recorded: Sequence[Recorded[Event]] = await execute(
        ports.store,
        key_id,
        command,
        caller.origin(),
        decide=decide_key,
        evolve=evolve_key,
        stream_of=stream_of,
    )
    # Without an event the outcome may be that of another request a moment ago.
    position = recorded[-1].position if recorded else ports.source.head()
    await ports.keys_follower.reached(position)
    return bool(recorded)
