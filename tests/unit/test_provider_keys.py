"""An account's own keys at providers: what can be asked, and what every node knows of them."""

import gc
import weakref

import pytest

from domain.access.provider_keys.changing import NewProviderKey, provider_key_id
from domain.access.provider_keys.decide import (
    AddProviderKey,
    ProviderKeys,
    RemoveProviderKey,
    decide,
    evolve,
)
from domain.access.provider_keys.directory import ProviderKeyDirectory
from domain.access.provider_keys.events import ProviderKeyAdded, ProviderKeyRemoved
from domain.errors import IdempotencyMismatch, NotFound
from domain.event import Event, Recorded
from domain.sealed import Sealed

ACCOUNT = "acct_1"


def added(
    provider: str = "openai",
    *,
    last4: str = "1234",
    input_hash: str = "input",
    seen: str | None = None,
    fallback: bool = False,
    account: str = ACCOUNT,
) -> ProviderKeyAdded:
    return ProviderKeyAdded(
        provider_key_id=provider_key_id(account, provider),
        account_id=account,
        provider=provider,
        secret=Sealed("dk_1", "provider.key", 4, inline=b"sealed"),
        last4=last4,
        fallback=fallback,
        input_hash=input_hash,
        idempotency_key_hash=seen,
    )


def removed(provider: str = "openai", account: str = ACCOUNT) -> ProviderKeyRemoved:
    return ProviderKeyRemoved(
        provider_key_id=provider_key_id(account, provider), account_id=account, provider=provider
    )


def after(*events: Event) -> ProviderKeys | None:
    keys: ProviderKeys | None = None
    for event in events:
        keys = evolve(keys, event)
    return keys


def recorded(event: Event, version: int, account: str = ACCOUNT) -> Recorded[Event]:
    return Recorded(
        version,
        f"pkey_{account}",
        version,
        f"evt_{version}",
        1_700_000_000_000 + version,
        account,
        "key",
        "key_1",
        "req_1",
        None,
        None,
        event,
    )


def directory_of(*events: Event) -> ProviderKeyDirectory:
    directory = ProviderKeyDirectory()
    for version, event in enumerate(events, start=1):
        directory.apply(recorded(event, version))
    return directory


def test_a_key_is_added_as_it_was_sealed() -> None:
    assert decide(None, AddProviderKey(added())) == (added(),)


def test_a_second_key_at_a_provider_takes_the_id_of_the_first() -> None:
    second = added(last4="5678")
    keys = after(added(), *decide(after(added()), AddProviderKey(second)))
    assert keys is not None
    assert keys.present == {second.provider_key_id: second}


def test_the_same_request_again_adds_nothing() -> None:
    assert decide(after(added(seen="one")), AddProviderKey(added(seen="one"))) == ()


def test_an_idempotency_key_is_of_the_account_and_not_of_the_provider() -> None:
    other = added("groq", seen="one", input_hash="another")
    with pytest.raises(IdempotencyMismatch):
        decide(after(added(seen="one")), AddProviderKey(other))


def test_a_key_is_removed_once() -> None:
    command = RemoveProviderKey(added().provider_key_id)
    assert decide(after(added()), command) == (removed(),)
    with pytest.raises(NotFound):
        decide(after(added(), removed()), command)


def test_a_removed_key_can_be_added_again() -> None:
    assert decide(after(added(), removed()), AddProviderKey(added())) == (added(),)


def test_the_directory_knows_keys_by_account_and_provider() -> None:
    directory = directory_of(added(), added("groq", fallback=True))
    assert list(directory.of_account(ACCOUNT)) == ["openai", "groq"]
    assert directory.of_account(ACCOUNT)["groq"].fallback
    assert directory.of_account("acct_2") == {}


def test_the_directory_shows_a_key_to_its_account_alone() -> None:
    directory, key_id = directory_of(added()), added().provider_key_id
    assert directory.get(ACCOUNT, key_id) is directory.find(key_id) is not None
    assert directory.get("acct_2", key_id) is None


def test_a_removed_key_is_gone_from_the_directory_with_all_that_was_kept_for_it() -> None:
    directory, key_id = directory_of(added()), added().provider_key_id
    kept = weakref.ref(directory.of_account(ACCOUNT)["openai"])
    directory.apply(recorded(removed(), 2))
    gc.collect()
    assert directory.find(key_id) is None
    assert directory.of_account(ACCOUNT) == {}
    assert kept() is None


def test_a_replaced_key_is_another_entry_under_the_same_id() -> None:
    directory, key_id = directory_of(added()), added().provider_key_id
    first = directory.find(key_id)
    directory.apply(recorded(added(last4="5678"), 2))
    second = directory.find(key_id)
    assert second is not None
    assert second != first
    assert second.last4 == "5678"


def test_an_event_that_comes_again_brings_no_removed_key_back() -> None:
    directory = directory_of(added(), removed())
    directory.apply(recorded(added(), 1))
    assert directory.of_account(ACCOUNT) == {}


def test_what_is_to_be_added_does_not_show_its_key() -> None:
    assert "sk-secret" not in repr(NewProviderKey("openai", "sk-secret", fallback=False))
