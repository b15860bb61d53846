"""What goes to Google Vertex AI, with which token, and what its errors mean."""

import asyncio
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.providers.google_tokens import GoogleTokens
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from adapters.providers.vertex import VertexWire, host_of, publisher_of
from domain.inference.events import Usage
from domain.ports.provider import CallTimeouts, FailureKind, ProviderCall, ProviderFailure
from tests.architecture.source import ROOT
from tests.support.scripted_gemini import ScriptedGemini, refused, service_account
from tests.support.scripted_provider import Reply, completion, stream, whole, words

PATIENT = CallTimeouts(connect=5, first_byte=10, chunk=10, total=20)
PLACE = "projects/acme-project/locations/europe-west4"


@pytest.fixture(scope="module")
def account() -> str:
    return service_account("http://127.0.0.1:1/token")


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedGemini]:
    async with ScriptedGemini() as provider:
        yield provider


@pytest.fixture
def credentials(account: str, upstream: ScriptedGemini) -> str:
    return json.dumps({**json.loads(account), "token_uri": f"{upstream.url}/token"})


@pytest.fixture
def wire(upstream: ScriptedGemini, session: HttpSession, credentials: str) -> HttpProvider:
    vertex = VertexWire(None, "europe-west4", credentials, base_url=upstream.url)
    return HttpProvider(session, vertex)


def chat(model: str = "gemini-2.5-flash", *, streamed: bool = False, **body: Any) -> ProviderCall:
    messages = [{"role": "user", "content": "Say hello."}]
    return ProviderCall(
        endpoint="/v1/chat/completions",
        native_id=model,
        body={"model": "acme/x", "messages": messages, **body},
        stream=streamed,
        timeouts=PATIENT,
        request_id="job_1",
    )


def embed(model: str, *texts: str) -> ProviderCall:
    return replace(chat(model), endpoint="/v1/embeddings", body={"input": list(texts)})


async def failure(wire: HttpProvider, call: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as raised:
        await wire.call(call)
    return raised.value


# Where it goes.


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "google/gemini-2.5-flash"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_googles_own_models_speak_generate_content(
    upstream: ScriptedGemini, wire: HttpProvider, model: str, streamed: bool
) -> None:
    reply = await wire.call(chat(model, streamed=streamed))
    method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    sent = upstream.requests[0]
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert sent.path == f"/v1/{PLACE}/publishers/google/models/gemini-2.5-flash:{method}"
    assert headers["authorization"] == "Bearer token_1"
    assert reply.body["choices"][0]["message"]["content"] == "Hello there."


@pytest.mark.parametrize(
    ("streamed", "reply"), [(False, whole(completion())), (True, stream(words()))]
)
async def test_open_models_speak_openais_chat(
    upstream: ScriptedGemini, wire: HttpProvider, streamed: bool, reply: Reply
) -> None:
    upstream.script(reply)
    answer = await wire.call(chat("meta/llama-3.3-70b-instruct-maas", streamed=streamed))
    sent = upstream.requests[0]
    assert sent.path == f"/v1beta1/{PLACE}/endpoints/openapi/chat/completions"
    assert sent.body["model"] == "meta/llama-3.3-70b-instruct-maas"
    assert answer.body["choices"][0]["message"]["content"] == "Hello there."


async def test_mistrals_models_are_named_in_the_address(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    upstream.script(stream(words()))
    await wire.call(chat("mistralai/mistral-medium-3", streamed=True))
    sent = upstream.requests[0]
    path = f"/v1/{PLACE}/publishers/mistralai/models/mistral-medium-3:streamRawPredict"
    assert (sent.path, sent.body["model"]) == (path, "mistral-medium-3")


CLAUDE = "claude-sonnet-4-5@20250929"
SPOKEN = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None,
    "content": [{"type": "text", "text": "Hello there."}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 2},
}  # fmt: skip
TOLD: tuple[dict[str, Any], ...] = (
    {"type": "message_start", "message": {**SPOKEN, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "text_delta", "text": "Hello there."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)  # fmt: skip


@pytest.mark.parametrize("model", [CLAUDE, f"anthropic/{CLAUDE}"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_anthropics_models_speak_messages(
    upstream: ScriptedGemini, wire: HttpProvider, model: str, streamed: bool
) -> None:
    events = [json.dumps(event) for event in TOLD]
    upstream.script(stream(events, done=False) if streamed else whole(SPOKEN))
    reply = await wire.call(chat(model, streamed=streamed, max_tokens=9))
    sent = upstream.requests[0]
    method = "streamRawPredict" if streamed else "rawPredict"
    assert sent.path == f"/v1/{PLACE}/publishers/anthropic/models/{CLAUDE}:{method}"
    assert "model" not in sent.body
    assert (sent.body["anthropic_version"], sent.body["max_tokens"]) == ("vertex-2023-10-16", 9)
    assert sent.body.get("stream", False) is streamed
    assert reply.body["choices"][0]["message"]["content"] == "Hello there."
    assert reply.usage == Usage(input_tokens=7, output_tokens=2, cached_input_tokens=4)


async def test_a_caller_of_messages_passes_through_to_anthropics_models(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    body = {
        "model": "anthropic/claude-sonnet-4.5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    upstream.script(whole(SPOKEN))
    call = replace(chat(CLAUDE), endpoint="/v1/messages", body=body)
    reply = await wire.call(call)
    passed = {name: value for name, value in body.items() if name != "model"}
    assert upstream.requests[0].body == {"anthropic_version": "vertex-2023-10-16", **passed}
    assert reply.body["content"] == SPOKEN["content"]


async def test_the_betas_that_vertex_takes_go_as_a_header(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    taken, other = "interleaved-thinking-2025-05-14", "prompt-caching-scope-2026-01-05"
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "m", "max_tokens": 9, "messages": messages, "anthropic_beta": [taken, other]}
    upstream.script(whole(SPOKEN))
    reply = await wire.call(replace(chat(CLAUDE), endpoint="/v1/messages", body=body))
    sent = upstream.requests[0]
    assert sent.headers["anthropic-beta"] == taken
    assert "anthropic_beta" not in sent.body
    assert reply.dropped == (f"anthropic_beta[{other}]",)


async def test_errors_of_anthropics_models_keep_their_own_envelope(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error",
                                        "message": "prompt is too long: 9 tokens"}}  # fmt: skip
    upstream.script(whole(error, status=400))
    assert (await failure(wire, chat(CLAUDE))).kind == "context_length"


async def test_texts_are_embedded_by_prediction(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    reply = await wire.call(embed("text-embedding-005", "a", "b"))
    sent = upstream.requests[0]
    assert sent.path == f"/v1/{PLACE}/publishers/google/models/text-embedding-005:predict"
    assert sent.body == {"instances": [{"content": "a"}, {"content": "b"}]}
    assert [one["embedding"] for one in reply.body["data"]] == [[0.5, -0.25]] * 2
    assert reply.usage == Usage(input_tokens=8, output_tokens=0)


async def test_a_model_that_embeds_one_text_is_not_asked_for_two(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    assert (await failure(wire, embed("gemini-embedding-001", "a", "b"))).kind == "unsupported"
    assert (await failure(wire, embed("meta/llama", "a"))).kind == "unsupported"
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_host(location: str, host: str) -> None:
    assert host_of(location) == host


@pytest.mark.parametrize(
    ("native_id", "publisher", "model"),
    [
        ("gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("claude-sonnet-4-5@20250929", "anthropic", "claude-sonnet-4-5@20250929"),
        ("anthropic/claude-opus-5", "anthropic", "claude-opus-5"),
        ("publishers/google/models/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("openai/gpt-oss-120b-maas", "openai", "gpt-oss-120b-maas"),
    ],
)
def test_a_native_id_names_its_publisher(native_id: str, publisher: str, model: str) -> None:
    assert publisher_of(native_id) == (publisher, model)


@pytest.mark.parametrize("location", ["global", "us-central1"])
def test_a_location_outside_the_allowed_ones_is_refused(account: str, location: str) -> None:
    with pytest.raises(ValueError, match="not among those"):
        VertexWire("p", location, account, allowed_locations=["europe-west4", "europe-west1"])


@pytest.mark.parametrize("location", ["", "evil.example/", "europe west4", "EU"])
def test_a_location_that_is_none_never_becomes_a_host(account: str, location: str) -> None:
    with pytest.raises(ValueError, match="no location"):
        VertexWire("p", location, account)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(404, "NOT_FOUND", "Publisher Model `x` was not found."), "not_found"),
        (refused(400, "FAILED_PRECONDITION", "x is not servable in region e."), "not_found"),
        (refused(403, "PERMISSION_DENIED", "Accept the agreement first."), "auth"),
        (refused(429, "RESOURCE_EXHAUSTED", "Resource exhausted."), "rate_limited"),
        (refused(400, "INVALID_ARGUMENT", "x"), "bad_request"),
    ],
)
async def test_a_model_that_is_not_to_be_had_here_is_sought_elsewhere(
    upstream: ScriptedGemini, wire: HttpProvider, reply: Reply, kind: FailureKind
) -> None:
    upstream.script(reply)
    assert (await failure(wire, chat())).kind == kind


# With which token.


async def test_one_token_serves_call_after_call(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    await asyncio.gather(*(wire.call(chat()) for _ in range(5)))
    await wire.call(chat())
    assert upstream.tokens_given == 1


async def test_a_token_is_renewed_before_it_ends(
    upstream: ScriptedGemini, credentials: str
) -> None:
    tokens = GoogleTokens(credentials, retry_seconds=0)
    upstream.token_seconds = 60
    assert await tokens.token() == "token_1"
    upstream.token_seconds = 3600
    assert await tokens.token() == "token_2"
    assert await tokens.token() == "token_2"


async def test_a_token_that_holds_is_used_while_the_next_cannot_be_had(
    upstream: ScriptedGemini, credentials: str
) -> None:
    tokens = GoogleTokens(credentials, retry_seconds=0)
    upstream.token_seconds = 60
    await tokens.token()
    upstream.token_status = 400
    assert await tokens.token() == "token_1"


async def test_while_one_caller_renews_the_token_the_others_use_the_old_one(
    upstream: ScriptedGemini, credentials: str
) -> None:
    tokens = GoogleTokens(credentials, retry_seconds=0)
    upstream.token_seconds = 60
    await tokens.token()
    assert sorted(await asyncio.gather(tokens.token(), tokens.token())) == ["token_1", "token_2"]


async def test_credentials_that_google_refuses_are_at_fault(
    upstream: ScriptedGemini, wire: HttpProvider
) -> None:
    upstream.token_status = 400
    assert (await failure(wire, chat())).kind == "auth"
    assert upstream.requests == []


async def test_a_token_server_that_is_away_is_no_fault_of_the_credentials(account: str) -> None:
    with pytest.raises(ProviderFailure) as raised:
        await GoogleTokens(account).token()
    assert raised.value.kind == "connect"


async def test_a_key_that_is_none_is_at_fault(account: str) -> None:
    broken = json.dumps({**json.loads(account), "private_key": "none"})
    with pytest.raises(ProviderFailure) as raised:
        await GoogleTokens(broken).token()
    assert raised.value.kind == "auth"


async def test_the_event_loop_goes_on_while_a_token_is_fetched(
    upstream: ScriptedGemini, credentials: str
) -> None:
    # The server of tokens runs in this loop: were it blocked, no token would ever come.
    assert await GoogleTokens(credentials).token() == "token_1"


async def test_credentials_may_stand_in_a_file(
    upstream: ScriptedGemini, credentials: str, tmp_path: Path
) -> None:
    file = tmp_path / "account.json"
    file.write_text(credentials, "utf-8")
    tokens = GoogleTokens(str(file))
    assert (tokens.project, await tokens.token()) == ("acme-project", "token_1")


def test_credentials_may_come_in_base64(account: str) -> None:
    assert GoogleTokens(b64encode(account.encode()).decode()).project == "acme-project"


async def test_without_credentials_those_of_the_machine_are_used(
    upstream: ScriptedGemini,
    credentials: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "account.json"
    file.write_text(credentials, "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert await GoogleTokens(None).token() == "token_1"


def nowhere(folder: Path) -> str:
    return str(folder / "nothing.json")


@pytest.mark.parametrize("given", [nowhere, lambda _: "{", lambda _: "{}"])
def test_credentials_that_make_no_sense_are_refused_at_the_start(
    given: Callable[[Path], str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="credentials"):
        GoogleTokens(given(tmp_path))


def test_a_project_must_be_known(account: str) -> None:
    without = {name: one for name, one in json.loads(account).items() if name != "project_id"}
    with pytest.raises(ValueError, match="project"):
        VertexWire(None, "global", json.dumps(without))


WITHOUT_GOOGLE_AUTH = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "google":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from adapters.providers.vertex import VertexWire
try:
    VertexWire("p", "global")
except ValueError as error:
    print(error)
"""


def test_without_google_auth_it_is_said_what_to_install() -> None:
    command = [sys.executable, "-c", WITHOUT_GOOGLE_AUTH]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install 'gatewayz[vertex]'" in done.stdout
