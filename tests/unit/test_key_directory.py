"""The key directory: who gets in, and when no longer."""

import pytest

from domain.access.directory import KeyDirectory, KeyEntry
from domain.access.events import AccountOpened, KeyCreated, KeyRevoked, KeyRotated, KeyUpdated
from domain.errors import Unauthenticated
from domain.event import Event
from domain.sealed import Sealed
from tests.support.histories import STARTED_AT as NOW
from tests.support.histories import recorded

CREATED = KeyCreated(
    key_id="key_1",
    account_id="acct_1",
    name="ci",
    environment="live",
    prefix="gw_live_",
    last4="abcd",
    key_hash="first",
    scopes=("inference",),
)
ROTATED = KeyRotated(key_id="key_1", last4="wxyz", key_hash="second", old_valid_until=NOW + 60_000)
REVOKED = KeyRevoked(key_id="key_1")


def directory_of(*events: Event) -> KeyDirectory:
    directory = KeyDirectory()
    for number, event in enumerate(events, 1):
        directory.apply(recorded(event, position=number, version=number))
    return directory


def refusal_code(directory: KeyDirectory, key_hash: str, now: int = NOW) -> str:
    with pytest.raises(Unauthenticated) as raised:
        directory.authenticate(key_hash, now)
    return raised.value.code


def test_a_key_is_found_by_its_hash_with_what_it_may_do() -> None:
    entry = directory_of(CREATED).authenticate("first", NOW)
    assert (entry.key_id, entry.account_id) == ("key_1", "acct_1")
    assert entry.scopes == {"inference"}


def test_looking_a_key_up_makes_no_new_entry() -> None:
    directory = directory_of(CREATED)
    assert directory.authenticate("first", NOW) is directory.authenticate("first", NOW)


def test_an_unknown_secret_is_refused() -> None:
    assert refusal_code(directory_of(CREATED), "other") == "invalid_api_key"


def test_a_revoked_key_is_refused() -> None:
    assert refusal_code(directory_of(CREATED, REVOKED), "first") == "api_key_revoked"


def test_revoking_stops_the_rotated_out_secret_too() -> None:
    directory = directory_of(CREATED, ROTATED, REVOKED)
    assert refusal_code(directory, "first") == "api_key_revoked"
    assert refusal_code(directory, "second") == "api_key_revoked"


def test_a_key_works_until_its_expiry_and_not_after() -> None:
    expiry = KeyUpdated(key_id="key_1", name="ci", scopes=("inference",), expires_at=NOW + 10)
    directory = directory_of(CREATED, expiry)
    assert directory.authenticate("first", NOW + 9).key_id == "key_1"
    assert refusal_code(directory, "first", NOW + 10) == "api_key_expired"


def test_both_secrets_work_during_the_overlap_and_the_new_one_after() -> None:
    directory = directory_of(CREATED, ROTATED)
    assert directory.authenticate("first", NOW + 59_999).last4 == "wxyz"
    assert directory.authenticate("second", NOW + 59_999).last4 == "wxyz"
    assert refusal_code(directory, "first", NOW + 60_000) == "api_key_expired"
    assert directory.authenticate("second", NOW + 60_000).key_id == "key_1"


def test_a_rotation_without_overlap_ends_every_earlier_secret() -> None:
    at_once = KeyRotated(key_id="key_1", last4="5678", key_hash="third", old_valid_until=NOW)
    directory = directory_of(CREATED, ROTATED, at_once)
    assert refusal_code(directory, "first") == "api_key_expired"
    assert refusal_code(directory, "second") == "api_key_expired"


def test_a_longer_overlap_does_not_revive_an_earlier_secret() -> None:
    later = KeyRotated(
        key_id="key_1", last4="5678", key_hash="third", old_valid_until=NOW + 600_000
    )
    directory = directory_of(CREATED, ROTATED, later)
    assert refusal_code(directory, "first", NOW + 60_000) == "api_key_expired"
    assert directory.authenticate("second", NOW + 60_000).key_id == "key_1"


def test_an_update_shows_through_every_secret_of_the_key() -> None:
    narrowed = KeyUpdated(key_id="key_1", name="renamed", scopes=("jobs",))
    directory = directory_of(CREATED, ROTATED, narrowed)
    assert directory.authenticate("first", NOW).scopes == {"jobs"}
    assert directory.authenticate("second", NOW).name == "renamed"


def _everything(directory: KeyDirectory) -> tuple[object, ...]:
    def tried(key_hash: str, now: int) -> KeyEntry | str:
        try:
            return directory.authenticate(key_hash, now)
        except Unauthenticated as refused:
            return refused.code

    moments = [(h, t) for h in ("first", "second") for t in (NOW, NOW + 60_000)]
    return (*(tried(*moment) for moment in moments), tuple(directory.keys_of("acct_1")))


@pytest.mark.parametrize("events", [(CREATED, ROTATED), (CREATED, ROTATED, REVOKED)])
def test_applying_events_again_changes_nothing(events: tuple[Event, ...]) -> None:
    directory = directory_of(*events)
    before = _everything(directory)
    for number, event in enumerate(events, 1):
        directory.apply(recorded(event, position=number, version=number))
    assert _everything(directory) == before


def test_the_keys_of_an_account_are_listed_in_order_revoked_ones_too() -> None:
    directory = directory_of(CREATED, REVOKED)
    second = KeyCreated(
        key_id="key_2",
        account_id="acct_1",
        name="two",
        environment="test",
        prefix="gw_test_",
        last4="0000",
        key_hash="third",
        scopes=("jobs",),
    )
    directory.apply(recorded(second, position=9))
    listed = directory.keys_of("acct_1")
    assert [(entry.key_id, entry.revoked_at) for entry in listed] == [
        ("key_1", NOW),
        ("key_2", None),
    ]


def test_another_accounts_key_is_not_found() -> None:
    directory = directory_of(CREATED)
    assert directory.key("acct_1", "key_1") is not None
    assert directory.key("acct_2", "key_1") is None
    assert directory.keys_of("acct_2") == []


def test_an_account_is_found_by_its_id() -> None:
    sealed = Sealed("dk_1", "webhook.secret:acct_1", 4, inline=b"x")
    opened = AccountOpened(account_id="acct_1", name="Acme", default_webhook_secret=sealed)
    directory = directory_of(opened)
    entry = directory.account("acct_1")
    assert entry is not None
    assert (entry.name, entry.created_at) == ("Acme", NOW)
    assert directory.accounts() == [entry]
    assert directory.account("acct_2") is None
