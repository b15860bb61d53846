"""What goes out to Anthropic: headers, betas, bodies."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.providers.anthropic import AnthropicWire
from adapters.providers.credential import Credential
from adapters.providers.http import HttpProvider
from adapters.providers.session import HttpSession
from domain.ports.provider import ProviderCall
from tests.contract.anthropic.calls import ASKED, TOOL, chat, failure, messages
from tests.support.scripted_anthropic import TEXT, whole
from tests.support.scripted_upstream import ScriptedUpstream

THINKING_BETA, NEW_BETA = "interleaved-thinking-2025-05-14", "new-2099-01-01"


async def sent(upstream: ScriptedUpstream, wire: HttpProvider, call: ProviderCall) -> Any:
    upstream.script(whole())
    await wire.call(call)
    return upstream.requests[-1].json()


async def test_the_request_has_anthropics_headers(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    await sent(upstream, wire, messages())
    request = upstream.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == "sk-ant-1"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers


async def test_betas_go_as_a_header_and_one_that_is_not_known_stays(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    reply = await wire.call(messages(anthropic_beta=[THINKING_BETA, NEW_BETA]))
    request = upstream.requests[0]
    assert request.headers["anthropic-beta"] == THINKING_BETA
    assert "anthropic_beta" not in request.json()
    assert reply.dropped == (f"anthropic_beta[{NEW_BETA}]",)


async def test_under_the_customers_own_key_every_beta_goes(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    call = messages(anthropic_beta=[THINKING_BETA, NEW_BETA])
    reply = await wire.call(replace(call, own_key="pkey_1"))
    assert upstream.requests[0].headers["anthropic-beta"] == f"{THINKING_BETA},{NEW_BETA}"
    assert reply.dropped == ()


async def test_without_betas_there_is_no_header_for_them(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    await sent(upstream, wire, messages())
    await sent(upstream, wire, messages(anthropic_beta=[NEW_BETA]))
    assert all("anthropic-beta" not in one.headers for one in upstream.requests)


async def test_the_operators_own_betas_stay(upstream: ScriptedUpstream) -> None:
    session = HttpSession()
    credential = Credential("k", extra={"anthropic-beta": "ours-1"})
    upstream.script(whole())
    await HttpProvider(session, AnthropicWire(upstream.base_url, credential)).call(
        messages(anthropic_beta=[THINKING_BETA])
    )
    await session.close()
    assert upstream.requests[0].headers["anthropic-beta"] == f"ours-1,{THINKING_BETA}"


async def test_an_address_with_the_version_and_another_header_are_taken(
    upstream: ScriptedUpstream,
) -> None:
    session = HttpSession()
    credential = Credential("k", extra={"anthropic-version": "2099-01-01"})
    upstream.script(whole())
    await HttpProvider(session, AnthropicWire(f"{upstream.base_url}/v1/", credential)).call(
        messages()
    )
    await session.close()
    request = upstream.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["authorization"] == "Bearer k"
    assert request.headers["anthropic-version"] == "2099-01-01"


async def test_a_caller_of_this_wire_is_passed_through(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "context_management": {"edits": []},
        "temperature": 1.5,
    }
    body = await sent(upstream, wire, messages(**fields))
    assert body == {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": ASKED, **fields}


async def test_a_limit_above_the_models_is_lowered_and_told(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole(), whole())
    passed = await wire.call(messages(max_tokens=65_000))
    translated = await wire.call(chat(max_tokens=65_000))
    assert [request.json()["max_tokens"] for request in upstream.requests] == [64_000, 64_000]
    assert passed.dropped == translated.dropped == ("max_tokens",)


async def test_thinking_of_other_vendors_does_not_reach_anthropic(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    foreign = {"type": "thinking", "thinking": "hm", "signature": "gatewayz:google:S"}
    history = [*ASKED, {"role": "assistant", "content": [foreign, TEXT]}, *ASKED]
    body = await sent(upstream, wire, messages(messages=history))
    assert body["messages"][1]["content"] == [TEXT]
    assert history[1]["content"] == [foreign, TEXT]


async def test_a_chat_request_becomes_a_messages_request(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    system = {"role": "system", "content": "Be brief."}
    body = await sent(
        upstream,
        wire,
        chat(
            messages=[system, *ASKED],
            tools=[TOOL],
            tool_choice="required",
            parallel_tool_calls=False,
            stop=["END"],
            temperature=0.5,
            max_completion_tokens=7,
        ),
    )
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 7,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "temperature": 0.5,
    }


async def test_what_anthropic_does_not_take_is_told_by_the_callers_names(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    upstream.script(whole())
    call = chat(model="claude-opus-4-7", seed=1, temperature=0.7, logit_bias={"1": 1})
    assert (await wire.call(call)).dropped == ("logit_bias", "seed", "temperature")
    assert "temperature" not in upstream.requests[0].json()


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"messages": [*ASKED, {"role": "assistant", "content": "The"}]},
        {"modalities": ["text", "audio"]},
        {"web_search_options": {}},
    ],
)
async def test_what_would_change_the_answer_is_refused_without_a_call(
    upstream: ScriptedUpstream, wire: HttpProvider, body: dict[str, Any]
) -> None:
    failed = await failure(wire, chat(model="claude-opus-4-7", **body))
    assert (failed.kind, upstream.requests) == ("unsupported", [])


async def test_a_request_that_makes_no_sense_is_the_callers_fault(
    upstream: ScriptedUpstream, wire: HttpProvider
) -> None:
    failed = await failure(wire, chat(messages=[{"role": "wizard", "content": "x"}]))
    assert (failed.kind, upstream.requests) == ("bad_request", [])
