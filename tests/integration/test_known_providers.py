"""Calls to the well-known providers, each played by a server of this machine."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.inference.events import Endpoint
from domain.ports.provider import CallTimeouts, ProviderCall, ProviderFailure
from infra.cli import app as command_line
from infra.providers.environment import every_variable
from infra.providers.probing import Finding, check_all
from infra.providers.registry import ProviderFacts, registry
from infra.providers.wires import build_wire
from infra.settings import ProviderSettings
from tests.support.scripted_provider import completion, embedding

TIMEOUTS = CallTimeouts(connect=5, first_byte=5, chunk=5, total=10)
KEY = "key-of-ours"
CHAT = sorted(
    name for name, facts in registry().items() if facts.protocol in ("openai-chat", "azure-openai")
)


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Upstream:
    """Answers whatever is asked; `status` and `answer` may be changed."""

    root: str = ""
    status: int = 200
    answer: Any = None
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        content = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = json.loads(content) if content else None
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, body))
        return web.json_response(self.answer, status=self.status)

    def at(self, facts: ProviderFacts) -> str:
        """The address that the provider would have here: its own path on this machine."""
        path = facts.base_url.partition("://")[2].partition("/")[2]
        for setting in ("account_id", "gateway_id"):
            path = path.replace(f"{{{setting}}}", "one")
        return f"{self.root}/{path}".rstrip("/")


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    served = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[HttpSession]:
    session = HttpSession()
    yield session
    await session.close()


def provider_of(name: str, upstream: Upstream) -> ProviderSettings:
    return ProviderSettings.model_validate(
        {"preset": name, "base_url": upstream.at(registry()[name]), "api_key": KEY}
    )


def call(body: dict[str, Any], endpoint: Endpoint = "/v1/chat/completions") -> ProviderCall:
    return ProviderCall(endpoint, "alpha", body, False, TIMEOUTS, "req_1", 64)


HI = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("name", CHAT)
async def test_a_call_reaches_the_providers_path_with_its_credential(
    name: str, upstream: Upstream, session: HttpSession
) -> None:
    facts = registry()[name]
    provider = provider_of(name, upstream)
    embeds = not facts.quirks.chat
    upstream.answer = embedding() if embeds else completion()
    sent = call({"input": "hi"}, "/v1/embeddings") if embeds else call(HI)
    await HttpProvider(session, build_wire(provider)).call(sent)
    (asked,) = upstream.asked
    route = "embeddings" if embeds else "chat/completions"
    assert f"{upstream.root}{asked.path}" == f"{provider.base_url}/{route}"
    assert asked.headers[facts.header.lower()] == facts.scheme.replace("{key}", KEY)
    assert asked.query == dict(facts.query)
    assert asked.body["model"] == "alpha"


@pytest.mark.parametrize(
    ("name", "header", "value", "path"),
    [
        ("anthropic", "x-api-key", KEY, "/v1/messages"),
        ("google-gemini", "x-goog-api-key", KEY, "/v1beta/models/alpha:generateContent"),
        ("cohere", "authorization", f"Bearer {KEY}", "/v2/chat"),
        ("bedrock", "authorization", f"Bearer {KEY}", "/model/alpha/converse"),
    ],
)
async def test_a_call_in_a_vendors_own_wire_has_its_path_and_credential(
    name: str, header: str, value: str, path: str, upstream: Upstream
) -> None:
    request = await build_wire(provider_of(name, upstream)).request(call(HI))
    assert request.url == f"{upstream.root}{path}"
    assert {one.lower(): text for one, text in request.headers.items()}[header] == value


async def test_all_that_voyage_tells_of_its_tokens_is_their_sum(
    upstream: Upstream, session: HttpSession
) -> None:
    upstream.answer = embedding(usage={"total_tokens": 12})
    provider = HttpProvider(session, build_wire(provider_of("voyageai", upstream)))
    reply = await provider.call(call({"input": "hi"}, "/v1/embeddings"))
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (12, 0)


ODD = {
    **HI,
    "max_tokens": 9,
    "temperature": 0.5,
    "seed": 7,
    "user": "u-1",
    "logit_bias": {"1": 1},
}


@pytest.mark.parametrize("name", [name for name in CHAT if registry()[name].quirks.chat])
async def test_what_a_provider_does_not_take_is_left_out_and_told(
    name: str, upstream: Upstream, session: HttpSession
) -> None:
    facts = registry()[name]
    upstream.answer = completion()
    reply = await HttpProvider(session, build_wire(provider_of(name, upstream))).call(call(ODD))
    sent = upstream.asked[0].body
    refused = {name for name in ODD if name in facts.quirks.refuses}
    assert set(reply.dropped) == refused
    assert not refused & sent.keys()
    limit = facts.quirks.limit or "max_tokens"
    assert sent[limit] == 9
    assert facts.quirks.renames.get("seed", "seed") in sent or "seed" in refused


async def test_what_would_change_the_answer_is_refused_without_a_call(
    upstream: Upstream, session: HttpSession
) -> None:
    provider = HttpProvider(session, build_wire(provider_of("perplexity", upstream)))
    tools = [{"type": "function", "function": {"name": "look"}}]
    with pytest.raises(ProviderFailure) as refused:
        await provider.call(call({**HI, "tools": tools}))
    assert (refused.value.kind, upstream.asked) == ("unsupported", [])


@pytest.mark.parametrize(("name", "asks"), [("mistral", False), ("openai", True)])
async def test_a_stream_asks_for_usage_only_where_that_is_taken(
    name: str, asks: bool, upstream: Upstream
) -> None:
    wire = build_wire(provider_of(name, upstream))
    request = await wire.request(
        ProviderCall("/v1/chat/completions", "alpha", HI, True, TIMEOUTS, "req_1")
    )
    body = json.loads(request.content)
    assert body["stream"] is True
    assert ("stream_options" in body) == asks


async def test_a_deployment_of_azures_stands_in_the_path(
    upstream: Upstream, session: HttpSession
) -> None:
    provider = ProviderSettings.model_validate(
        {
            "preset": "azure-openai",
            "base_url": f"{upstream.root}/openai/deployments/{{model}}",
            "api_key": KEY,
            "api_version": "2024-10-21",
        }
    )
    upstream.answer = completion()
    await HttpProvider(session, build_wire(provider)).call(call(HI))
    (asked,) = upstream.asked
    assert asked.path == "/openai/deployments/alpha/chat/completions"
    assert asked.query == {"api-version": "2024-10-21"}


async def finding(provider: ProviderSettings, timeout: float = 5) -> Finding:
    (found,) = await check_all({"it": provider}, timeout)
    return found


async def test_a_check_reads_the_listing_where_that_wants_the_key(upstream: Upstream) -> None:
    upstream.answer = {"data": [{"id": "alpha"}, {"id": "beta"}]}
    found = await finding(provider_of("groq", upstream))
    (asked,) = upstream.asked
    assert (found.ok, found.note) == (True, "lists 2 models")
    assert (asked.method, asked.path) == ("GET", "/openai/v1/models")
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_where_the_listing_is_public_a_model_that_is_not_there_is_asked_for(
    upstream: Upstream,
) -> None:
    upstream.status, upstream.answer = 404, {"error": {"code": "model_not_found"}}
    found = await finding(provider_of("openrouter", upstream))
    (asked,) = upstream.asked
    assert found.ok
    assert (asked.method, asked.body["model"]) == ("POST", "gatewayz-check")


@pytest.mark.parametrize("name", ["groq", "openrouter", "voyageai"])
@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (401, "it does not take the credential"),
        (403, "it does not take the credential"),
        (402, "it is out of credit or quota"),
        (429, "it is over its rate limit"),
        (503, "it is overloaded or away"),
    ],
)
async def test_a_check_says_what_is_wrong(
    name: str, status: int, problem: str, upstream: Upstream
) -> None:
    upstream.status = status
    found = await finding(provider_of(name, upstream))
    assert (found.ok, found.status, found.problem) == (False, status, problem)


async def test_a_provider_of_ones_own_without_a_listing_is_asked_for_no_model(
    upstream: Upstream,
) -> None:
    upstream.status, upstream.answer = 404, {}
    own = ProviderSettings(base_url=f"{upstream.root}/v1")
    assert (await finding(own)).ok
    assert [asked.method for asked in upstream.asked] == ["GET", "POST"]


async def test_who_is_away_or_silent_is_told_so(upstream: Upstream) -> None:
    nobody = ProviderSettings(base_url="http://127.0.0.1:9/v1")
    assert (await finding(nobody)).problem == "it cannot be reached"
    assert (await finding(provider_of("groq", upstream), timeout=0)).problem is not None


async def test_a_provider_that_cannot_be_used_is_not_asked(upstream: Upstream) -> None:
    found = await finding(ProviderSettings(preset="groq"))
    assert (found.ok, found.problem) == (False, "GROQ_API_KEY is not set")


class TestTheCommandLine:
    @pytest.fixture(autouse=True)
    def _clean_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in every_variable():
            monkeypatch.delenv(name, raising=False)

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(command_line, ["providers", *arguments])

    def test_every_provider_is_listed_with_what_it_lacks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GROQ_API_KEY", "planted-secret")
        done = self.run("list", "--json")
        listed = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
        assert set(listed) == {"simulator", *registry()}
        assert listed["groq"]["enabled"]
        assert listed["openai"]["disabled_because"] == "OPENAI_API_KEY is not set"
        assert listed["openai"]["variables"] == [["OPENAI_API_KEY"]]
        assert "planted-secret" not in done.stdout

    def test_the_list_can_be_cut_to_what_is_enabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GROQ_API_KEY", "k")
        lines = self.run("list", "--enabled").stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["provider", "simulator", "groq"]

    def test_a_check_of_nobody_is_refused(self) -> None:
        assert self.run("check").exit_code == 1

    def test_an_unknown_name_is_wrong_usage(self) -> None:
        assert self.run("check", "nobody").exit_code == 2

    def test_a_check_fails_when_one_of_them_does(self) -> None:
        done = self.run("check", "simulator", "groq", "--json")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["ok"] for one in found] == [True, False]
        assert done.exit_code == 1

    def test_a_check_of_what_answers_ends_well(self) -> None:
        assert self.run("check", "simulator").exit_code == 0
