"""The keys that an account has at providers of its own; they are taken and never shown."""

from typing import Annotated, Any

from fastapi import APIRouter

from api.auth import Caller, Ports, require
from api.bodies import ProviderKeyBody
from api.idempotency import Creating
from api.paging import SliceQuery
from domain.access.provider_keys.changing import (
    NewProviderKey,
    add_provider_key,
    remove_provider_key,
)
from domain.access.provider_keys.directory import ProviderKeyEntry, entry_of
from domain.errors import NotFound
from domain.inference.view import seconds

# Part of the router of `api/routes/keys.py`, with its tags and dependencies.
router = APIRouter(prefix="/provider_keys")
Owner = Annotated[Caller, require("keys")]


def provider_key_object(key: ProviderKeyEntry) -> dict[str, Any]:
    """A provider key as its owner sees it; the key itself is not in it."""
    return {
        "id": key.provider_key_id,
        "object": "provider_key",
        "provider": key.provider,
        "last4": key.last4,
        "fallback": key.fallback,
        "created_at": seconds(key.created_at),
    }


@router.get("")
async def list_provider_keys(caller: Owner, ports: Ports, part: SliceQuery) -> dict[str, Any]:
    """The account's own keys at providers."""
    keys = ports.provider_keys.of_account(caller.account_id).values()
    return part.of([provider_key_object(key) for key in keys])


@router.post("", status_code=201)
async def create_provider_key(
    body: ProviderKeyBody, caller: Owner, ports: Ports, creation: Creating
) -> dict[str, Any]:
    """Calls the provider with your own key from now on; the provider bills you.

    It takes the place of an earlier one at this provider. Only with `fallback` may our key serve,
    at our price, where yours fails.
    """
    api_key = body.api_key.get_secret_value()
    ports.own_keys.require(body.provider, api_key)
    wanted = NewProviderKey(body.provider, api_key, body.fallback, creation.key_hash)
    recorded, is_new = await add_provider_key(ports.store, ports.payloads, wanted, caller.origin())
    if not is_new:
        creation.replayed()
    await ports.provider_keys_follower.reached(recorded.position)
    return provider_key_object(entry_of(recorded))


@router.get("/{provider_key_id}")
async def get_provider_key(provider_key_id: str, caller: Owner, ports: Ports) -> dict[str, Any]:
    """One of them."""
    key = ports.provider_keys.get(caller.account_id, provider_key_id)
    if key is None:
        raise NotFound("no such provider key", code="provider_key_not_found")
    return provider_key_object(key)


@router.delete("/{provider_key_id}")
async def delete_provider_key(provider_key_id: str, caller: Owner, ports: Ports) -> dict[str, Any]:
    """Uses the key no more, on every node at once; what waits for it is not called with it."""
    (recorded,) = await remove_provider_key(ports.store, provider_key_id, caller.origin())
    await ports.provider_keys_follower.reached(recorded.position)
    return {"id": provider_key_id, "object": "provider_key.deleted", "deleted": True}
