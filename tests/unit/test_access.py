"""Accounts and keys: what each command brings about, and what is refused."""

from dataclasses import replace

import pytest

from domain.access.commands import (
    CreateKey,
    KeyCommand,
    OpenAccount,
    RevokeKey,
    RotateKey,
    UpdateKey,
)
from domain.access.decide import MAX_OVERLAP_SECONDS, decide_account, decide_key, stream_of
from domain.access.events import KeyCreated, KeyRevoked, KeyRotated, KeyUpdated
from domain.access.scopes import ALL_SCOPES, OWNER_SCOPES, Granter, parse_scopes
from domain.access.state import Key, evolve_account, evolve_key
from domain.errors import (
    Conflict,
    DomainError,
    Forbidden,
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
)
from domain.sealed import Sealed

NOW = 1_700_000_000_000
SEALED = Sealed("dk_1", "webhook.secret:acct_1", 4, inline=b"x")
OWNER = Granter(OWNER_SCOPES, None)
CREATE = CreateKey(
    key_id="key_1",
    account_id="acct_1",
    name="ci",
    environment="live",
    prefix="gw_live_",
    last4="abcd",
    key_hash="h1",
    scopes=("inference", "jobs"),
    granter=OWNER,
    now=NOW,
)
OPEN = OpenAccount("acct_1", "Acme", SEALED, CREATE)
UPDATE = UpdateKey(granter=OWNER, now=NOW)
ROTATE = RotateKey("wxyz", "h2", 60, OWNER, NOW)
REVOKE = RevokeKey(OWNER)


def key_after(*commands: KeyCommand) -> Key | None:
    key = None
    for command in commands:
        for event in decide_key(key, command):
            key = evolve_key(key, event)
    return key


def refusal(key: Key | None, command: KeyCommand) -> DomainError:
    with pytest.raises(DomainError) as raised:
        decide_key(key, command)
    return raised.value


def test_an_account_is_opened_with_its_owners_key_each_in_its_stream() -> None:
    assert [stream_of(event) for event in decide_account(None, OPEN)] == ["acct_1", "key_1"]


def test_an_account_can_be_opened_without_a_key() -> None:
    assert len(decide_account(None, replace(OPEN, owner_key=None))) == 1


def test_an_account_is_opened_once() -> None:
    account = evolve_account(None, decide_account(None, OPEN)[0])
    with pytest.raises(Conflict):
        decide_account(account, OPEN)


def test_a_new_key_holds_its_scopes_in_the_order_of_the_contract() -> None:
    (event,) = decide_key(None, replace(CREATE, scopes=("jobs", "inference", "jobs")))
    assert isinstance(event, KeyCreated)
    assert event.scopes == ("inference", "jobs")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("root",)}, "scopes"),
        ({"environment": "production"}, "environment"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_a_key_with_a_bad_field_is_refused_by_its_name(
    change: dict[str, object], param: str
) -> None:
    refused = refusal(None, replace(CREATE, **change))  # type: ignore[arg-type]
    assert isinstance(refused, InvalidRequest)
    assert refused.param == param


def test_a_key_is_created_once() -> None:
    assert refusal(key_after(CREATE), CREATE).code == "key_exists"


def test_a_key_that_was_never_created_is_not_found() -> None:
    assert isinstance(refusal(None, REVOKE), NotFound)


def test_an_update_keeps_what_it_does_not_name() -> None:
    expiring = replace(CREATE, expires_at=NOW + 1)
    (event,) = decide_key(key_after(expiring), replace(UPDATE, name="renamed"))
    assert event == KeyUpdated(
        key_id="key_1", name="renamed", scopes=("inference", "jobs"), expires_at=NOW + 1
    )


def test_an_update_can_take_the_expiry_away() -> None:
    expiring = replace(CREATE, expires_at=NOW + 1)
    (event,) = decide_key(key_after(expiring), replace(UPDATE, expires_at=None))
    assert isinstance(event, KeyUpdated)
    assert event.expires_at is None


def test_an_update_that_changes_nothing_records_nothing() -> None:
    assert decide_key(key_after(CREATE), replace(UPDATE, name="ci")) == ()


def test_a_rotation_lets_the_old_secret_work_for_the_overlap() -> None:
    (event,) = decide_key(key_after(CREATE), ROTATE)
    assert event == KeyRotated(
        key_id="key_1",
        last4="wxyz",
        key_hash="h2",
        old_valid_until=NOW + 60_000,
        overlap_seconds=60,
    )


ONCE = replace(ROTATE, idempotency_key_hash="once")


def test_a_rotation_under_the_same_idempotency_key_happens_once() -> None:
    again = replace(ONCE, key_hash="h3", now=NOW + 5)
    assert decide_key(key_after(CREATE, ONCE), again) == ()
    assert decide_key(key_after(CREATE, ONCE), replace(again, idempotency_key_hash="other"))
    assert decide_key(key_after(CREATE, ROTATE), ROTATE)


def test_another_overlap_under_the_same_idempotency_key_is_refused() -> None:
    refused = refusal(key_after(CREATE, ONCE), replace(ONCE, overlap_seconds=0))
    assert isinstance(refused, IdempotencyMismatch)


@pytest.mark.parametrize("overlap", [-1, MAX_OVERLAP_SECONDS + 1])
def test_an_overlap_out_of_bounds_is_refused(overlap: int) -> None:
    refused = refusal(key_after(CREATE), replace(ROTATE, overlap_seconds=overlap))
    assert refused.param == "overlap_seconds"


def test_revoking_twice_is_the_same_as_once() -> None:
    assert decide_key(key_after(CREATE), REVOKE) == (KeyRevoked(key_id="key_1"),)
    assert decide_key(key_after(CREATE, REVOKE), REVOKE) == ()


@pytest.mark.parametrize("command", [UPDATE, ROTATE])
def test_nothing_about_a_revoked_key_can_change(command: KeyCommand) -> None:
    refused = refusal(key_after(CREATE, REVOKE), command)
    assert (type(refused), refused.code) == (Conflict, "key_revoked")


ADMIN_KEY = replace(CREATE, scopes=("admin",), granter=Granter(ALL_SCOPES, None))


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (None, replace(CREATE, scopes=("admin",))),
        (None, replace(CREATE, granter=Granter(("keys", "jobs"), None))),
        (key_after(CREATE), replace(UPDATE, scopes=("admin",))),
        (key_after(ADMIN_KEY), ROTATE),
        (key_after(ADMIN_KEY), replace(UPDATE, scopes=("jobs",))),
    ],
)
def test_nobody_gets_a_key_that_can_do_more_than_they_can(
    key: Key | None, command: KeyCommand
) -> None:
    assert isinstance(refusal(key, command), Forbidden)


def test_nobody_revokes_a_key_that_can_do_more_than_they_can() -> None:
    assert isinstance(refusal(key_after(ADMIN_KEY), REVOKE), Forbidden)
    assert isinstance(refusal(key_after(CREATE), RevokeKey(Granter(("keys",), None))), Forbidden)


def test_a_key_revokes_itself() -> None:
    itself = RevokeKey(Granter(CREATE.scopes, None))
    assert decide_key(key_after(CREATE), itself) == (KeyRevoked(key_id="key_1"),)


EXPIRING = Granter(OWNER_SCOPES, NOW + 1000)
UNTIL_THEN = replace(CREATE, expires_at=NOW + 1000)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (None, replace(CREATE, granter=EXPIRING)),
        (None, replace(CREATE, granter=EXPIRING, expires_at=NOW + 1001)),
        (key_after(UNTIL_THEN), replace(UPDATE, granter=EXPIRING, expires_at=None)),
        (key_after(UNTIL_THEN), replace(UPDATE, granter=EXPIRING, expires_at=NOW + 1001)),
        (key_after(CREATE), replace(UPDATE, granter=EXPIRING, scopes=("inference", "webhooks"))),
        (key_after(CREATE), replace(ROTATE, granter=EXPIRING)),
    ],
)
def test_nothing_that_an_expiring_key_gives_outlives_it(
    key: Key | None, command: KeyCommand
) -> None:
    assert isinstance(refusal(key, command), Forbidden)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (None, replace(UNTIL_THEN, granter=EXPIRING)),
        (key_after(UNTIL_THEN), replace(ROTATE, granter=EXPIRING)),
        (key_after(CREATE), replace(UPDATE, granter=EXPIRING, expires_at=NOW + 5000)),
        (key_after(CREATE), replace(UPDATE, granter=EXPIRING, scopes=("jobs",))),
        (key_after(CREATE), RevokeKey(EXPIRING)),
    ],
)
def test_an_expiring_key_may_give_what_ends_with_it_and_take_away(
    key: Key | None, command: KeyCommand
) -> None:
    assert decide_key(key, command)


def test_an_administrator_may_grant_every_scope() -> None:
    (event,) = decide_key(
        None, replace(CREATE, scopes=ALL_SCOPES, granter=Granter(("admin",), None))
    )
    assert isinstance(event, KeyCreated)
    assert event.scopes == ALL_SCOPES


def test_the_scopes_of_the_contract_all_parse() -> None:
    assert parse_scopes(reversed(ALL_SCOPES)) == ALL_SCOPES


def test_a_history_that_begins_with_a_change_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"before access\.key\.created"):
        evolve_key(None, KeyRevoked(key_id="key_1"))
