"""Betas that Anthropic's client asks for, at a host that is Anthropic's and at one that is not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from domain.inference.events import JobCompleted
from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.official import anthropic_client
from tests.support.scripted_anthropic import error, streamed, whole
from tests.support.scripted_provider import answer
from tests.support.scripted_upstream import ScriptedUpstream

HELLO: Any = [{"role": "user", "content": "Say hello."}]
THINKING, TOOLS = "interleaved-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14"
NEW = "something-new-2099-01-01"
BODY: dict[str, Any] = {"model": "acme/claude", "max_tokens": 100, "messages": HELLO}


@dataclass(frozen=True)
class Stage:
    """`acme/claude` speaks as Anthropic does, `alpha` as OpenAI."""

    engine: RunningEngine
    upstream: ScriptedUpstream
    account: Account
    client: AsyncAnthropic

    async def ask(self, *betas: str, model: str = "acme/claude", **headers: str) -> Any:
        return await self.client.beta.messages.with_raw_response.create(
            **{**BODY, "model": model}, betas=list(betas), extra_headers=headers
        )

    async def post(self, **headers: str) -> Answer:
        return await self.account.post("/v1/messages?beta=true", BODY, **headers)

    @property
    def betas_seen(self) -> list[str | None]:
        return [one.headers.get("anthropic-beta") for one in self.upstream.requests]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with ScriptedUpstream() as upstream:
        host = {"protocol": "anthropic-messages", "base_url": upstream.base_url, "api_key": "sk-1"}
        offer = {"provider": "claude", "native_id": "claude-sonnet-4-5"}
        model = {"max_output_tokens": 64_000, "offers": [{**offer, "input": "3", "output": "15"}]}
        more: dict[str, Any] = {
            "more_providers": {"claude": host},
            "more_models": {"acme/claude": model},
        }
        async with running_engine(tmp_path / "data", **more) as engine:
            account = await engine.account()
            async with anthropic_client(account) as client:
                yield Stage(engine, upstream, account, client)


async def test_what_a_client_asks_for_reaches_anthropic(stage: Stage) -> None:
    stage.upstream.script(whole())
    reply = await stage.ask(THINKING, TOOLS)
    assert (await reply.parse()).stop_reason == "end_turn"
    assert stage.betas_seen == [f"{TOOLS},{THINKING}"]
    assert "anthropic_beta" not in stage.upstream.requests[0].json()
    assert "x-gatewayz-dropped-params" not in reply.headers


async def test_a_stream_asks_for_them_too(stage: Stage) -> None:
    stage.upstream.script(streamed())
    async with stage.client.beta.messages.stream(**BODY, betas=[THINKING]) as events:
        message = await events.get_final_message()
    assert message.stop_reason == "end_turn"
    assert stage.betas_seen == [THINKING]


async def test_repeated_headers_are_one_list(stage: Stage) -> None:
    stage.upstream.script(whole())
    url = f"{stage.account.base_url}/v1/messages"
    headers = [
        ("x-api-key", stage.account.api_key or ""),
        ("anthropic-beta", f"{THINKING},{TOOLS}"),
        ("anthropic-beta", TOOLS),
    ]
    async with stage.account.session.post(url, json=BODY, headers=headers) as reply:
        assert reply.status == 200
    assert stage.betas_seen == [f"{TOOLS},{THINKING}"]


async def test_they_are_asked_for_again_with_every_attempt(stage: Stage) -> None:
    stage.upstream.script(error(529), whole())
    await stage.ask(THINKING)
    assert stage.betas_seen == [THINKING, THINKING]


async def test_a_beta_that_is_not_known_is_left_out_and_named(stage: Stage) -> None:
    stage.upstream.script(whole())
    reply = await stage.ask(THINKING, NEW)
    assert stage.betas_seen == [THINKING]
    assert reply.headers["x-gatewayz-dropped-params"] == f"anthropic_beta[{NEW}]"


async def test_under_the_customers_own_key_it_is_for_anthropic_to_know(stage: Stage) -> None:
    key = {"provider": "claude", "api_key": "sk-ant-customer"}
    assert (await stage.account.post("/v1/provider_keys", key)).status == 201
    stage.upstream.script(whole())
    await stage.ask(NEW)
    assert stage.betas_seen == [NEW]
    assert stage.upstream.requests[0].headers["x-api-key"] == "sk-ant-customer"


async def test_another_kind_of_host_does_without_and_the_reply_says_so(stage: Stage) -> None:
    stage.engine.upstream.script(answer("Hello."))
    reply = await stage.ask(THINKING, TOOLS, model="alpha")
    assert (await reply.parse()).content[0].text == "Hello."
    named = f"anthropic_beta[{TOOLS}],anthropic_beta[{THINKING}]"
    assert reply.headers["x-gatewayz-dropped-params"] == named
    seen = stage.engine.upstream.requests[0]
    assert "anthropic_beta" not in seen.body
    assert "anthropic-beta" not in {name.lower() for name in seen.headers}


@pytest.mark.parametrize("beta", ["context-1m-2025-08-07", "code-execution-2025-08-25"])
async def test_what_has_no_price_is_refused_by_its_name(stage: Stage, beta: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=beta) as refused:
        await stage.ask(THINKING, beta)
    body: Any = refused.value.body
    told = body["error"]
    assert (told["code"], told["param"]) == ("unsupported_parameter", "anthropic_beta")
    assert stage.upstream.requests == []
    assert (await stage.account.balance())["held_usd"] == "0.00"


@pytest.mark.parametrize("header", ["ü", "two words", ",".join(f"b{n}" for n in range(65))])
async def test_what_is_no_list_of_names_is_refused(stage: Stage, header: str) -> None:
    reply = await stage.post(**{"anthropic-beta": header})
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")
    assert stage.upstream.requests == []


async def test_another_beta_is_another_input(stage: Stage) -> None:
    stage.upstream.script(whole())
    key = {"Idempotency-Key": "k1"}
    first = await stage.ask(THINKING, TOOLS, **key)
    again = await stage.ask(TOOLS, THINKING, **key)
    assert again.headers["idempotent-replayed"] == "true"
    assert (await again.parse()).id == (await first.parse()).id
    for betas in ((), (THINKING,)):
        with pytest.raises(anthropic.UnprocessableEntityError):
            await stage.ask(*betas, **key)


async def test_a_job_names_them_in_its_body(stage: Stage) -> None:
    stage.upstream.script(whole())
    body = {**BODY, "anthropic_beta": [THINKING, NEW]}
    job_id = await stage.account.submit({"endpoint": "/v1/messages", "body": body})
    assert (await stage.account.finished(job_id))["status"] == "succeeded"
    assert stage.betas_seen == [THINKING]
    ended = (await stage.engine.engine.ports.store.read_stream(job_id))[-1].event
    assert isinstance(ended, JobCompleted)
    assert ended.dropped == (f"anthropic_beta[{NEW}]",)
    refused = {**BODY, "anthropic_beta": ["skills-2025-10-02"]}
    reply = await stage.account.post("/v1/jobs", {"endpoint": "/v1/messages", "body": refused})
    assert (reply.status, reply.error["param"]) == (400, "body.anthropic_beta")


async def test_betas_survive_the_way_to_another_host(tmp_path: Path) -> None:
    async with ScriptedUpstream() as first, ScriptedUpstream() as second:
        hosts = {
            name: {"protocol": "anthropic-messages", "base_url": at.base_url, "api_key": "k"}
            for name, at in (("first", first), ("second", second))
        }
        offers = [
            {"provider": name, "native_id": "claude-sonnet-4-5", "input": price, "output": "9"}
            for name, price in (("first", "1"), ("second", "2"))
        ]
        models = {"acme/claude": {"max_output_tokens": 64_000, "offers": offers}}
        first.script(error(500), error(500))
        second.script(whole())
        async with running_engine(
            tmp_path / "data", more_providers=hosts, more_models=models
        ) as engine:
            account = await engine.account()
            reply = await account.post("/v1/messages", BODY, **{"anthropic-beta": THINKING})
        assert reply.headers["x-gatewayz-provider"] == "second"
        assert second.requests[0].headers["anthropic-beta"] == THINKING
