"""The registry of well-known providers, and how each of them is enabled."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from openai.types import EmbeddingCreateParams
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from adapters.providers.http import HttpRequest
from adapters.providers.own_timeouts import OwnTimeouts
from domain.inference.events import Endpoint
from domain.ports.provider import CallTimeouts, ProviderCall
from infra.providers import guide
from infra.providers.addresses import NoAddress
from infra.providers.environment import every_variable
from infra.providers.registry import ProviderFacts, registry
from infra.providers.wires import WIRES, build_wire, credential_of
from infra.settings import ProviderSettings, Settings, SettingsProblem, load_settings

Load = Callable[[str], Settings]
NAMES = sorted(registry())
# What a setting must look like where any text will not do.
VALUES = {
    "base_url": "https://here.example",
    "region": "eu-west-1",
    "credentials_json": '{"type": "service_account", "project_id": "p-1"}',
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in every_variable():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Settings:
        path = tmp_path / "gatewayz.yaml"
        path.write_text(text)
        return load_settings(path)

    return load


def enabling(facts: ProviderFacts) -> Iterator[tuple[str, str]]:
    """A variable for each group that the provider needs, with a value."""
    for group in facts.needs:
        setting = next(name for name in group if name in facts.variables)
        yield facts.variables[setting][0], VALUES.get(setting, "value-1")
        for other in facts.pairs.get(setting, ()):
            yield facts.variables[other][0], "value-2"


def set_all(monkeypatch: pytest.MonkeyPatch, facts: ProviderFacts) -> None:
    for variable, value in enabling(facts):
        monkeypatch.setenv(variable, value)


def test_sixty_providers_are_known() -> None:
    assert len(registry()) == 60


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_makes_sense(name: str) -> None:
    facts = registry()[name]
    assert facts.docs.startswith("https://")
    assert facts.base_url.startswith(("https://", "http://localhost:"))
    assert all(group for group in facts.needs)
    assert "{key}" in facts.scheme
    assert facts.batch is None or 0 < Decimal(facts.batch) <= 1
    settings = ProviderSettings.model_fields
    assert all(setting in settings for setting in facts.variables)
    assert all(setting in settings for group in facts.needs for setting in group)
    if facts.models is not None and facts.models.price is not None:
        assert Decimal(facts.models.price.scale) > 0


# As OpenAI's own client knows them.
PARAMETERS = {*CompletionCreateParamsBase.__annotations__, *EmbeddingCreateParams.__annotations__}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_provider_does_not_take_are_parameters_that_there_are(name: str) -> None:
    quirks = registry()[name].quirks
    named = {*quirks.refuses, *quirks.renames}
    for model in quirks.models:
        named |= {*model.refuses, *model.thinks}
    assert named <= PARAMETERS


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_disabled_without_its_credential_and_says_what_to_set(name: str) -> None:
    provider = load_settings().providers[name]
    assert not provider.is_usable
    assert provider.why_unusable is not None
    needed = registry()[name].enabling_variables
    assert all(group[0] in provider.why_unusable for group in needed)


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_usable_by_its_usual_variables_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = registry()[name]
    set_all(monkeypatch, facts)
    provider = load_settings().providers[name]
    assert provider.why_unusable is None
    assert "{" not in provider.address().replace("{model}", "")
    assert build_wire(provider) is not None


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        (name, variable)
        for name, facts in registry().items()
        for variable in facts.variables.get("api_key", ())
    ],
)
def test_every_variable_for_the_key_is_read(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "key-1")
    key = load_settings().providers[name].api_key
    assert key is not None
    assert key.get_secret_value() == "key-1"


def test_every_protocol_has_a_wire() -> None:
    protocols = {facts.protocol for facts in registry().values()}
    assert protocols | {wire for facts in registry().values() for wire in facts.own} <= WIRES.keys()


def test_a_secret_is_in_no_credential_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    provider = load_settings().providers["openai"]
    assert "planted-secret" not in repr(provider) + repr(credential_of(provider))


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("OLLAMA_HOST", "127.0.0.1:11434", "ollama", "http://127.0.0.1:11434/v1"),
        ("OLLAMA_API_BASE", "http://box:1/v1", "ollama", "http://box:1/v1"),
        ("HOSTED_VLLM_API_BASE", "localhost:8000", "vllm", "http://localhost:8000/v1"),
        (
            "DATABRICKS_HOST",
            "adb-1.azuredatabricks.net",
            "databricks",
            "https://adb-1.azuredatabricks.net/serving-endpoints",
        ),
        (
            "AZURE_OPENAI_ENDPOINT",
            "https://res.openai.azure.com/",
            "azure-openai",
            "https://res.openai.azure.com/openai/v1",
        ),
        (
            "AZURE_OPENAI_RESOURCE",
            "res",
            "azure-openai",
            "https://res.openai.azure.com/openai/v1",
        ),
    ],
)
def test_an_address_may_come_as_vendors_write_it(
    variable: str, value: str, name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert load_settings().providers[name].address() == expected


def test_a_version_of_azures_leads_to_the_routes_of_deployments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://res.openai.azure.com")
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    provider = load_settings().providers["azure-openai"]
    assert provider.address() == "https://res.openai.azure.com/openai/deployments/{model}"
    assert credential_of(provider).query == {"api-version": "2024-10-21"}


def test_a_region_chooses_the_host_of_a_provider_that_has_several(load: Load) -> None:
    settings = load("providers: {openai: {region: eu, api_key: k}}")
    assert settings.providers["openai"].address() == "https://eu.api.openai.com/v1"


def test_an_account_stands_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "acct-9")
    address = load_settings().providers["cloudflare-workers-ai"].address()
    assert address == "https://api.cloudflare.com/client/v4/accounts/acct-9/ai/v1"


def test_a_header_is_sent_for_a_setting_and_not_without_it(load: Load) -> None:
    settings = load(
        """
        providers:
          openai: {api_key: k, organization: org-1, headers: {X-Team: blue}}
          huggingface: {api_key: k}
        """
    )
    assert credential_of(settings.providers["openai"]).headers() == {
        "openai-organization": "org-1",
        "x-team": "blue",
        "authorization": "Bearer k",
    }
    assert credential_of(settings.providers["huggingface"]).headers() == {
        "authorization": "Bearer k"
    }


def test_a_second_account_at_a_known_provider_has_its_facts(load: Load) -> None:
    settings = load("providers: {baseten-2: {preset: baseten, api_key: other}}")
    provider = settings.providers["baseten-2"]
    assert provider.address() == "https://inference.baseten.co/v1"
    assert credential_of(provider).headers() == {"authorization": "Api-Key other"}


def test_another_wire_of_a_vendor_takes_its_key_as_that_wire_has_it(load: Load) -> None:
    text = "providers: {claude: {preset: anthropic, protocol: openai-chat, api_key: k}}"
    provider = load(text).providers["claude"]
    assert provider.address() == "https://api.anthropic.com/v1"
    assert credential_of(provider).headers()["authorization"] == "Bearer k"


def test_a_server_of_ones_own_is_enabled_by_saying_so(load: Load) -> None:
    settings = load("providers: {ollama: {enabled: true}}")
    assert settings.providers["ollama"].is_usable
    assert settings.providers["ollama"].address() == "http://localhost:11434/v1"


def test_half_a_key_of_aws_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    why = load_settings().providers["bedrock"].why_unusable
    assert why == "AWS_SECRET_ACCESS_KEY is not set"
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "whole")
    assert load_settings().providers["bedrock"].is_usable


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        ("{}", "Google's credentials have no type"),
        ("{", "Google's credentials are no JSON"),
        ('{"type": "service_account"}', "Vertex AI needs a project of Google Cloud"),
    ],
)
def test_a_credential_that_cannot_be_read_disables_its_provider_and_no_other(
    credentials: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_VERTEX_CREDENTIALS_JSON", credentials)
    settings = load_settings()
    assert settings.providers["google-vertex"].why_unusable == why
    assert set(settings.usable_providers) == {"simulator"}


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_the_location_of_vertex_chooses_its_host(
    location: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", location)
    assert load_settings().providers["google-vertex"].address() == host


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("{openai: {api_key: k}}", "openai", set()),
        ("{openai: {api_key: k, region: eu}}", "openai", {"eu"}),
        ("{mistral: {api_key: k}}", "mistral", {"eu"}),
        ("{mistral: {api_key: k, base_url: 'https://proxy.example'}}", "mistral", set()),
        ("{ollama: {base_url: 'http://box:11434/v1'}}", "ollama", {"self"}),
        ("{google-vertex: {location: eu}}", "google-vertex", {"eu"}),
        ("{google-vertex: {location: global}}", "google-vertex", set()),
        ("{mine: {base_url: 'http://box/v1'}}", "mine", set()),
    ],
)
def test_a_region_is_known_only_where_it_is_promised(
    load: Load, text: str, name: str, expected: set[str]
) -> None:
    assert load(f"providers: {text}").providers[name].regions == expected


@pytest.mark.parametrize("name", [name for name in NAMES if registry()[name].own])
def test_a_wire_of_its_own_is_one_whose_address_is_known(name: str) -> None:
    facts = registry()[name]
    assert set(facts.own) <= facts.also.keys()
    assert facts.alone.keys() <= set(facts.own)


async def asked(provider: ProviderSettings, endpoint: Endpoint, model: str) -> HttpRequest:
    timeouts = CallTimeouts(connect=1, first_byte=1, chunk=1, total=1)
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    call = ProviderCall(endpoint, model, body, False, timeouts, "req_1")
    return await build_wire(provider).request(call)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("/v1/messages", "https://api.moonshot.ai/anthropic/v1/messages"),
        ("/v1/chat/completions", "https://api.moonshot.ai/v1/chat/completions"),
    ],
)
async def test_callers_of_a_wire_that_the_provider_has_too_go_through_it(
    load: Load, endpoint: Endpoint, url: str
) -> None:
    provider = load("providers: {moonshot: {api_key: k}}").providers["moonshot"]
    request = await asked(provider, endpoint, "kimi-k2.6")
    assert request.url == url
    assert request.headers["authorization"] == "Bearer k"


async def test_at_an_address_of_ones_own_all_go_through_the_one_wire(load: Load) -> None:
    text = "providers: {moonshot: {api_key: k, base_url: 'http://proxy/v1'}}"
    request = await asked(load(text).providers["moonshot"], "/v1/messages", "kimi-k2.6")
    assert request.url == "http://proxy/v1/chat/completions"


@pytest.mark.parametrize(
    "settings", ["resource: res", "base_url: 'https://res.services.ai.azure.com/models'"]
)
async def test_a_model_that_has_one_wire_alone_is_asked_through_it(
    load: Load, settings: str
) -> None:
    provider = load(f"providers: {{azure-ai-foundry: {{api_key: k, {settings}}}}}").providers[
        "azure-ai-foundry"
    ]
    claude = await asked(provider, "/v1/chat/completions", "claude-haiku-4-5")
    assert claude.url == "https://res.services.ai.azure.com/anthropic/v1/messages"
    assert claude.headers["x-api-key"] == "k"
    other = await asked(provider, "/v1/chat/completions", "grok-3")
    assert other.url.startswith("https://res.services.ai.azure.com/models/chat/completions?")


@pytest.mark.parametrize(
    ("endpoint", "model", "path"),
    [
        ("/v1/chat/completions", "gpt-5.5", "chat/completions"),
        ("/v1/chat/completions", "gpt-5.5-pro", "responses"),
        ("/v1/messages", "o3-deep-research", "responses"),
    ],
)
async def test_openais_models_are_asked_where_they_answer(
    load: Load, endpoint: Endpoint, model: str, path: str
) -> None:
    provider = load("providers: {openai: {api_key: k}}").providers["openai"]
    assert (await asked(provider, endpoint, model)).url == f"https://api.openai.com/v1/{path}"


async def test_a_model_that_has_another_address_is_asked_there(load: Load) -> None:
    provider = load("providers: {perplexity: {api_key: k}}").providers["perplexity"]
    here = await asked(provider, "/v1/chat/completions", "sonar-pro")
    there = await asked(provider, "/v1/chat/completions", "openai/gpt-5.5")
    assert here.url == "https://api.perplexity.ai/chat/completions"
    assert there.url == "https://api.perplexity.ai/router/v1/chat/completions"


def test_the_examples_of_the_page_about_providers_are_valid(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_MISTRAL_KEY", "k")
    monkeypatch.setenv("RESEARCH_KEY", "k")
    examples = [text.partition("```")[0] for text in guide.render().split("```yaml\n")[1:]]
    first, searching, vertex, bedrock = (load(text) for text in examples)
    assert {"mistral", "openai-research", "ollama", "house"} <= set(first.usable_providers)
    assert searching.models["perplexity/sonar"].offers[0].search == 12_000_000_000
    assert vertex.providers["vertex-everywhere"].location == "global"
    assert bedrock.providers["bedrock-eu"].is_usable


def test_a_provider_may_have_timeouts_of_its_own(load: Load) -> None:
    settings = load("providers: {lmstudio: {enabled: true, timeouts: {first_byte: 5m, total: 1h}}}")
    own = settings.providers["lmstudio"].timeouts
    assert own is not None
    timeouts = OwnTimeouts(**own.model_dump()).of(CallTimeouts(5, 30, 30, 600))
    assert timeouts == CallTimeouts(connect=5, first_byte=300, chunk=30, total=600)


class TestTheTwoRegionsOfAlibaba:
    def usable(self) -> set[str]:
        return {name for name in load_settings().usable_providers if name.startswith("alibaba")}

    def test_a_key_enables_the_international_region_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "k")
        assert self.usable() == {"alibaba-cloud"}

    def test_mainland_china_needs_a_key_that_is_named_for_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_API_KEY_CHINA", "k")
        assert self.usable() == {"alibaba-cloud-cn"}

    @pytest.mark.parametrize(
        ("region", "expected"),
        [("china", {"alibaba-cloud-cn"}), ("international", {"alibaba-cloud"})],
    )
    def test_a_pinned_region_is_the_only_one_and_has_the_key(
        self, region: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_REGION", region)
        monkeypatch.setenv("ALIBABA_CLOUD_API_KEY", "k")
        assert self.usable() == expected

    def test_the_region_that_is_not_pinned_says_why_it_is_not_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_REGION", "china")
        monkeypatch.setenv("DASHSCOPE_API_KEY", "k")
        why = load_settings().providers["alibaba-cloud"].why_unusable
        assert why == "ALIBABA_CLOUD_REGION names another region"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{mine: {preset: nobody, api_key: k}}", "providers.mine.preset"),
        ("{openai: {region: mars, api_key: k}}", "providers.openai.region"),
        ("{groq: {protocol: gemini, api_key: k}}", "providers.groq.base_url"),
        ("{azure-openai: {resource: 'a/b'}}", "providers.azure-openai.resource"),
        ("{openai: {smell: sweet}}", "providers.openai.smell"),
        ("{openai: {headers: [1]}}", "providers.openai.headers"),
        ("{mine: {protocol: openai-chat}}", "providers.mine.base_url"),
        (
            "{claude: {preset: mistral, protocol: azure-openai, api_key: k}}",
            "providers.claude.base_url",
        ),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(load: Load, text: str, problem: str) -> None:
    with pytest.raises(SettingsProblem) as raised:
        load(f"providers: {text}")
    assert [one.name for one in raised.value.problems] == [problem]


def test_an_address_that_lacks_a_setting_names_it(load: Load) -> None:
    provider = load("providers: {}").providers["azure-openai"]
    with pytest.raises(NoAddress) as raised:
        provider.address()
    assert raised.value.setting == "resource"
