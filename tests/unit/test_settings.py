"""The settings: where they come from, and how everything wrong with them is told at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from domain.money import TokenPrice
from domain.routing.ordering import Strategy
from infra.offers import build_catalogue
from infra.providers.environment import every_variable
from infra.settings import Settings, SettingsProblem, load_settings
from infra.settings.reference import render

Load = Callable[[str], Settings]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GATEWAYZ_") or name in every_variable():
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Settings:
        path = tmp_path / "gatewayz.yaml"
        path.write_text(text)
        return load_settings(path)

    return load


def problems(load: Load, text: str) -> dict[str, str]:
    with pytest.raises(SettingsProblem) as raised:
        load(text)
    return {problem.name: problem.message for problem in raised.value.problems}


def test_without_any_configuration_the_simulator_alone_is_usable() -> None:
    settings = load_settings()
    assert set(settings.usable_providers) == {"simulator"}
    assert {sold.model.id for sold in build_catalogue(settings).listed()} == {
        "simulator/chat",
        "simulator/embed",
        "simulator/flaky",
        "simulator/slow",
    }


def test_a_known_providers_key_brings_its_priced_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    listed = {sold.model.id: sold for sold in build_catalogue(load_settings()).listed()}
    (offer,) = listed["openai/gpt-4o-mini"].offers
    assert (offer.provider, offer.input_picodollars) == ("openai", 150_000)


def test_the_simulators_chat_model_has_its_price() -> None:
    (offer,) = load_settings().models["simulator/chat"].offers
    assert offer.input == TokenPrice.from_usd_per_million("1.00")
    assert offer.output == TokenPrice.from_usd_per_million("2.00")


EXAMPLE = """
providers:
  h1: {protocol: openai-chat, base_url: "http://127.0.0.1:9001/v1", api_key: "${H1_KEY}"}
  h2: {base_url: "http://127.0.0.1:9002/v1"}
models:
  acme/alpha:
    kind: chat
    context_length: 131072
    max_output_tokens: 4096
    free: false
    capabilities: [tools, json_schema, vision, reasoning, prefill]
    offers:
      - {provider: h1, native_id: alpha, input: "1.00", output: "2.00"}
      - {provider: h2, native_id: alpha-v2, input: 2, output: 4.5}
      - {provider: h2, native_id: alpha-v3}
aliases: {alpha: acme/alpha}
routing:  {strategy: price}
attempts:
  {connect_timeout: 5, first_byte_timeout: 30, chunk_timeout: 30, total_timeout: 600,
   max_attempts: 6}
breaker:
  {consecutive_failures: 5, failure_ratio: 0.5, minimum_requests: 10, window: 60,
   open_seconds: 60, successes_to_close: 2}
webhooks:
  {allow_private_targets: false, timeout: 20,
   retry_schedule: [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]}
limits:   {enabled: true, ip_per_minute: 300, anonymous_per_day: 3}
storage:  {durability: disk}
"""


def test_the_example_of_the_contract_is_read(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("H1_KEY", "secret-1")
    settings = load(EXAMPLE)
    key = settings.providers["h1"].api_key
    assert key is not None
    assert key.get_secret_value() == "secret-1"
    assert set(settings.usable_providers) == {"simulator", "h1", "h2"}
    prices = [offer.output for offer in settings.models["acme/alpha"].offers]
    assert prices == [TokenPrice(2_000_000), TokenPrice(4_500_000), None]
    assert settings.aliases == {"alpha": "acme/alpha"}


@pytest.mark.parametrize("value", [None, ""])
def test_a_provider_whose_variable_is_unset_is_disabled_and_not_broken(
    load: Load, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("H1_KEY", value)
    settings = load(EXAMPLE)
    assert set(settings.usable_providers) == {"simulator", "h2"}
    assert settings.providers["h1"].why_unusable == "H1_KEY is not set"


def test_a_provider_whose_address_is_unset_is_disabled_too(load: Load) -> None:
    assert not load("providers: {h3: {base_url: '${H3_URL}'}}").providers["h3"].is_usable


def test_a_known_provider_is_enabled_by_its_key_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-2")
    settings = load_settings()
    assert set(settings.usable_providers) == {"simulator", "openai"}
    assert settings.providers["groq"].why_unusable == "GROQ_API_KEY is not set"


def test_a_change_to_a_known_provider_keeps_the_rest_of_it(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-2")
    changed = load("providers: {openai: {base_url: 'http://127.0.0.1:9/v1'}}").providers["openai"]
    assert (changed.base_url, changed.is_usable) == ("http://127.0.0.1:9/v1", True)


def test_a_provider_can_be_switched_off(load: Load) -> None:
    settings = load("providers: {simulator: {enabled: false}}")
    assert settings.usable_providers == {}
    assert settings.providers["simulator"].why_unusable == "it is switched off"


def test_arguments_come_before_environment_before_file_before_defaults(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "{port: 1, host: file, dispatch: {concurrency: 3}}"
    assert load(text).port == 1
    monkeypatch.setenv("GATEWAYZ_PORT", "2")
    monkeypatch.setenv("GATEWAYZ_DISPATCH__PER_ACCOUNT", "4")
    settings = load(text)
    assert (settings.port, settings.host) == (2, "file")
    assert (settings.dispatch.concurrency, settings.dispatch.per_account) == (3, 4)
    assert load_settings(tmp_path / "gatewayz.yaml", port=3, host=None).port == 3


def test_the_file_can_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.yaml").write_text("port: 9")
    monkeypatch.setenv("GATEWAYZ_CONFIG", str(tmp_path / "other.yaml"))
    assert load_settings().port == 9


def test_nested_names_and_lists_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAYZ_PROVIDERS__H1__BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("GATEWAYZ_WEBHOOKS__RETRY_SCHEDULE", '[1, "2s"]')
    monkeypatch.setenv("GATEWAYZ_ATTEMPTS__CONNECT_TIMEOUT", "250ms")
    settings = load_settings()
    assert settings.providers["h1"].is_usable
    assert settings.webhooks.retry_schedule == (1.0, 2.0)
    assert settings.attempts.connect_timeout == 0.25


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("'30'", 30), ("0.5", 0.5), ("250ms", 0.25), ("2s", 2), ("9m", 540), ("1h", 3600)],
)
def test_durations_are_seconds_or_carry_a_unit(load: Load, text: str, expected: float) -> None:
    assert load(f"dispatch: {{drain_timeout: {text}}}").dispatch.drain_timeout == expected


@pytest.mark.parametrize("text", ["'2 weeks'", "-1", "0", "true", ".inf", ".nan", "[]", "''"])
def test_what_is_no_duration_is_refused_by_its_name(load: Load, text: str) -> None:
    found = problems(load, f"attempts: {{connect_timeout: {text}}}")
    assert set(found) == {"attempts.connect_timeout"}


def test_every_problem_is_told_at_once_by_its_dotted_name(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAYZ_PROT", "1")
    found = problems(
        load,
        """
        port: 70000
        prot: 1
        host: ${HOST_NOT_SET}
        storage: {durability: tape, speed: 1}
        attempts: {first_byte_timeout: 700}
        providers: {h1: {protocol: smoke, base_url: nowhere}, h2: {}}
        models: {acme/alpha: {offers: [{provider: h1, native_id: a, input: cheap}]}}
        """,
    )
    assert set(found) == {
        "GATEWAYZ_PROT",
        "port",
        "prot",
        "host",
        "storage.durability",
        "storage.speed",
        "attempts.first_byte_timeout",
        "providers.h1.protocol",
        "providers.h1.base_url",
        "providers.h2.base_url",
        "models.acme/alpha.offers.0.input",
    }


def test_the_text_of_the_refusal_lists_every_problem(load: Load) -> None:
    with pytest.raises(SettingsProblem, match=r"port: .*\nprot: there is no such setting"):
        load("{prot: 1, port: x}")


def test_what_a_cluster_needs_is_told_by_its_names(load: Load) -> None:
    assert set(problems(load, "profile: cluster")) == {
        "postgres.url",
        "kafka.bootstrap_servers",
        "master_key",
    }


def test_an_offer_of_an_unknown_provider_is_refused(load: Load) -> None:
    found = problems(load, "models: {a/b: {offers: [{provider: h9, native_id: b}]}}")
    assert found == {"models.a/b.offers.0.provider": "no provider is named 'h9'"}


@pytest.mark.parametrize("name", ["connect_timeout", "first_byte_timeout", "chunk_timeout"])
def test_no_part_of_a_call_may_outlast_the_whole(load: Load, name: str) -> None:
    found = problems(load, _timeouts(longest=name))
    assert set(found) == {f"attempts.{name}"}


def _timeouts(longest: str) -> str:
    names = ("connect_timeout", "first_byte_timeout", "chunk_timeout")
    values = ", ".join(f"{name}: {11 if name == longest else 1}" for name in names)
    return f"attempts: {{total_timeout: 10, {values}}}"


@pytest.mark.parametrize("gaps", ["[5, 1]", "[0, 1]", "[-1]", "[1, x]"])
def test_a_retry_schedule_that_shrinks_or_is_not_positive_is_refused(load: Load, gaps: str) -> None:
    found = problems(load, f"webhooks: {{retry_schedule: {gaps}}}")
    assert all(name.startswith("webhooks.retry_schedule") for name in found)


@pytest.mark.parametrize(
    "text",
    [
        "dispatch: {lease_seconds: 1}",
        "dispatch: {concurrency: 0}",
        "simulator: {fault_rate: 1.5}",
        "bootstrap_admin_key: short",
        "routing: {strategy: luck}",
        "routing: {strategy: [price]}",
        "routing: {strategy: weights}",
        "logging: {level: loud}",
        "models: {a/b: {kind: poem}}",
        "models: {a/b: {capabilities: [magic]}}",
        "models: {a/b: {max_output_tokens: 0}}",
        "models: {a/b: {offers: [{provider: simulator, native_id: b, input: '-1'}]}}",
        "models: {a/b: {offers: [{provider: simulator, native_id: b, input: '0.0000001'}]}}",
        "providers: 7",
        "providers: {h1: 7}",
    ],
)
def test_a_wrong_value_is_refused(load: Load, text: str) -> None:
    assert len(problems(load, text)) == 1


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_every_strategy_can_be_set(load: Load, strategy: str) -> None:
    text = f"routing: {{strategy: {strategy}, weights: {{h1: 70, h2: 30}}}}"
    assert load(text).routing.strategy == strategy


def test_a_weight_below_nothing_is_refused_by_its_name(load: Load) -> None:
    assert "routing.weights.h1" in problems(load, "routing: {weights: {h1: -1}}")


def test_limits_are_off_as_long_as_nothing_applies_them() -> None:
    assert not load_settings().limits.enabled


@pytest.mark.parametrize("text", ["a: [", "- 1", "\tport: 1", "just text"])
def test_a_file_that_is_no_mapping_is_refused_with_its_name(load: Load, text: str) -> None:
    (name,) = problems(load, text)
    assert name.endswith("gatewayz.yaml")


def test_an_empty_file_changes_nothing(load: Load) -> None:
    assert load("").port == 8080


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match=r"absent\.yaml: No such file"):
        load_settings(tmp_path / "absent.yaml")


def test_a_variable_may_have_a_default(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("host: '${HOST_NOT_SET:-0.0.0.0}'").host == "0.0.0.0"
    monkeypatch.setenv("HOST_NOT_SET", "::1")
    assert load("host: '${HOST_NOT_SET:-0.0.0.0}'").host == "::1"


def test_no_secret_is_shown_by_settings_or_refusals(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("H1_KEY", "planted-secret-7")
    monkeypatch.setenv("GATEWAYZ_MASTER_KEY", "planted-secret-8")
    assert "planted-secret" not in repr(load(EXAMPLE))
    with pytest.raises(SettingsProblem) as raised:
        load("{master_key: planted-secret-9, port: x, providers: {a: {api_key: [planted-secret]}}}")
    assert "planted-secret" not in str(raised.value)


def test_the_master_key_file_is_in_the_data_directory_unless_named(load: Load) -> None:
    assert load("data_dir: /srv/gw").master_key_path == Path("/srv/gw/master.key")
    assert load("master_key_file: /etc/gw.key").master_key_path == Path("/etc/gw.key")


@pytest.mark.parametrize("name", ["input", "request", "search"])
def test_the_reference_says_that_a_price_is_a_decimal(name: str) -> None:
    assert f"| `{name}` | decimal |" in render()
    assert f"| `{name}` | integer |" not in render()


def test_a_variable_that_is_no_json_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAYZ_ALIASES", "{planted-secret")
    with pytest.raises(SettingsProblem, match="aliases") as raised:
        load_settings()
    assert "planted-secret" not in str(raised.value)
