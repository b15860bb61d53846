"""API keys: their form, and the keyed hash that stands for them at rest."""

import base64

import pytest

from adapters.crypto.api_keys import KeyedSecrets
from adapters.crypto.master_key import MasterKey
from domain.ports.secrets import ENVIRONMENTS, Environment

SECRETS = KeyedSecrets(MasterKey(b"m" * 32))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_key_says_its_environment_and_its_last_four(environment: Environment) -> None:
    key = SECRETS.new_api_key(environment)
    assert key.prefix == f"gw_{environment}_"
    assert key.secret.startswith(key.prefix)
    assert key.secret.endswith(key.last4)
    assert len(base64.urlsafe_b64decode(key.secret.removeprefix(key.prefix) + "=")) == 32


def test_the_prefix_holds_nothing_of_a_random_part_with_underscores() -> None:
    for _ in range(200):
        assert SECRETS.new_api_key("live").prefix == "gw_live_"


def test_no_two_keys_are_the_same() -> None:
    assert len({SECRETS.new_api_key("test").secret for _ in range(100)}) == 100


def test_the_hash_is_the_same_on_every_node_of_an_installation() -> None:
    key = SECRETS.new_api_key("live")
    assert KeyedSecrets(MasterKey(b"m" * 32)).key_hash(key.secret) == key.key_hash


def test_the_hash_differs_under_another_master_key() -> None:
    key = SECRETS.new_api_key("live")
    assert KeyedSecrets(MasterKey(b"n" * 32)).key_hash(key.secret) != key.key_hash


def test_a_chosen_key_shows_its_prefix_only_when_it_has_our_form() -> None:
    assert SECRETS.adopt_api_key("gw_live_" + "x" * 32).prefix == "gw_live_"
    assert SECRETS.adopt_api_key("my_own_administrator_secret").prefix == ""


def test_a_chosen_key_that_is_short_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 characters"):
        SECRETS.adopt_api_key("admin")


def test_printing_a_key_does_not_show_its_secret() -> None:
    key = SECRETS.new_api_key("live")
    assert key.secret not in repr(key)


def test_a_webhook_secret_has_the_standard_form() -> None:
    secret = SECRETS.new_webhook_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
