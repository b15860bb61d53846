"""What a command does to the provider keys of an account: pure functions of state and command."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from domain.access.provider_keys.events import ProviderKeyAdded, ProviderKeyRemoved
from domain.errors import IdempotencyMismatch, NotFound
from domain.event import Event


@dataclass(frozen=True, slots=True)
class AddProviderKey:
    """Use the key that was sealed at the door, in place of an earlier one at its provider."""

    added: ProviderKeyAdded


@dataclass(frozen=True, slots=True)
class RemoveProviderKey:
    """Use the key no more."""

    provider_key_id: str


ProviderKeyCommand = AddProviderKey | RemoveProviderKey


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """The keys of one account by id; `seen` has what each idempotency key (its hash) added."""

    present: Mapping[str, ProviderKeyAdded] = field(default_factory=dict)
    seen: Mapping[str, ProviderKeyAdded] = field(default_factory=dict)


def decide(keys: ProviderKeys | None, command: ProviderKeyCommand) -> tuple[Event, ...]:
    """The events that `command` brings about; a repeated request to add changes nothing.

    Raises `NotFound` for a key that is not there, `IdempotencyMismatch` for another input.
    """
    known = keys or ProviderKeys()
    match command:
        case AddProviderKey(added=added):
            return () if _is_repeated(known, added) else (added,)
        case RemoveProviderKey(provider_key_id=key_id):
            key = known.present.get(key_id)
            if key is None:
                raise NotFound("no such provider key", code="provider_key_not_found")
            return (
                ProviderKeyRemoved(
                    provider_key_id=key_id, account_id=key.account_id, provider=key.provider
                ),
            )
        case _:
            assert_never(command)


def evolve(keys: ProviderKeys | None, event: Event) -> ProviderKeys:
    """The keys after `event`. Raises `ValueError` on a history that cannot be."""
    known = keys or ProviderKeys()
    match event:
        case ProviderKeyAdded(provider_key_id=key_id, idempotency_key_hash=seen):
            marked = known.seen if seen is None else {**known.seen, seen: event}
            return ProviderKeys({**known.present, key_id: event}, marked)
        case ProviderKeyRemoved(provider_key_id=removed):
            left = {name: key for name, key in known.present.items() if name != removed}
            return replace(known, present=left)
        case _:
            raise ValueError(f"{event.event_name} is no event of provider keys")


def _is_repeated(keys: ProviderKeys, added: ProviderKeyAdded) -> bool:
    if added.idempotency_key_hash is None:
        return False
    before = keys.seen.get(added.idempotency_key_hash)
    if before is not None and before.input_hash != added.input_hash:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used with another input", param="Idempotency-Key"
        )
    return before is not None
