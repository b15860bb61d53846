"""Who serves a request: the caller's preferences, other models in place, and routers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import ScriptedProvider, error

BODY: dict[str, Any] = {
    "model": "acme/two",
    "messages": [{"role": "user", "content": "Say it."}],
    "max_tokens": 50,
}
OFFERS = [
    {"provider": "h1", "native_id": "one", "input": "1.00", "output": "2.00"},
    {"provider": "h2", "native_id": "two", "input": "3.00", "output": "4.00"},
]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@dataclass
class Stage:
    """An engine with a model of two providers, and an account."""

    engine: RunningEngine
    second: ScriptedProvider
    account: Account

    @property
    def first(self) -> ScriptedProvider:
        return self.engine.upstream

    async def ask(self, **changes: Any) -> Answer:
        return await self.account.post("/v1/chat/completions", {**BODY, **changes})


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    model = {"context_length": 131_072, "max_output_tokens": 4096}
    async with (
        ScriptedProvider() as second,
        running_engine(
            tmp_path / "data",
            more_providers={
                "h2": {
                    "protocol": "openai-chat",
                    "base_url": second.base_url,
                    "handled_in": ["eu"],
                    "data_handling": "forgets",
                }
            },
            more_models={
                "acme/two": {**model, "offers": OFFERS},
                "acme/plain": {
                    **model,
                    "capabilities": ["json_schema"],
                    "offers": [{**OFFERS[1], "native_id": "plain"}],
                },
            },
        ) as engine,
    ):
        yield Stage(engine, second, await engine.account())


def provider(reply: Answer) -> str:
    assert reply.status == 200, reply.body
    return reply.headers["x-gatewayz-provider"]


async def test_the_cheapest_serves_unless_the_caller_says_otherwise(stage: Stage) -> None:
    assert provider(await stage.ask()) == "h1"
    assert provider(await stage.ask(provider={"order": ["h2"]})) == "h2"
    assert provider(await stage.ask(provider={"only": ["h2"]})) == "h2"
    assert provider(await stage.ask(provider={"ignore": ["h1"]})) == "h2"


async def test_what_is_said_of_routing_goes_to_no_provider(stage: Stage) -> None:
    await stage.ask(provider={"order": ["h1"]}, models=["alpha"])
    assert {"provider", "models"}.isdisjoint(stage.first.requests[0].body)


@pytest.mark.parametrize(
    "wanted", [{"regions": ["eu"]}, {"zdr": True}, {"data_collection": "deny"}], ids=str
)
async def test_regions_and_data_policies_are_kept_to(stage: Stage, wanted: dict[str, Any]) -> None:
    assert provider(await stage.ask(provider=wanted)) == "h2"
    stage.second.default = error(503)
    assert (await stage.ask(provider=wanted)).status == 502
    assert stage.first.requests == []


async def test_without_a_permitted_provider_the_request_is_refused(stage: Stage) -> None:
    for wanted in ({"regions": ["us"]}, {"max_price": {"prompt": "0.5"}}, {"only": ["h3"]}):
        reply = await stage.ask(provider=wanted)
        assert (reply.status, reply.error["code"]) == (400, "no_permitted_provider")
    assert stage.first.requests == stage.second.requests == []


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"sort": "beauty"}, "provider.sort"),
        ({"oder": ["h1"]}, "provider"),
        ({"max_price": {"prompt": "cheap"}}, None),
        ("h1", "provider"),
    ],
)
async def test_nonsense_is_refused(stage: Stage, provider: Any, param: str | None) -> None:
    reply = await stage.ask(provider=provider)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_another_model_answers_where_the_caller_named_one(stage: Stage) -> None:
    stage.first.script(error(503))
    stage.second.script(error(503))
    reply = await stage.ask(models=["acme/alpha"], stream=False)
    assert provider(reply) == "h1"
    assert reply.headers["x-gatewayz-model"] == reply.json["model"] == "acme/alpha"
    [charge] = await stage.account.charges(reply.headers["x-gatewayz-job-id"])
    assert charge["model"] == "acme/alpha"
    job = await stage.account.job(reply.headers["x-gatewayz-job-id"])
    assert job["model"] == "acme/alpha"


async def test_the_result_of_a_job_names_the_model_that_answered(stage: Stage) -> None:
    stage.first.script(error(503))
    stage.second.script(error(503))
    body = {**BODY, "models": ["acme/alpha"]}
    job_id = await stage.account.submit({"endpoint": "/v1/chat/completions", "body": body})
    await stage.account.finished(job_id)
    result = await stage.account.get(f"/v1/jobs/{job_id}/result")
    assert result.headers["x-gatewayz-model"] == result.json["model"] == "acme/alpha"


async def test_no_other_model_ever_answers_unasked(stage: Stage) -> None:
    stage.first.default = stage.second.default = error(503)
    assert (await stage.ask()).status == 502
    assert {seen.body["model"] for seen in stage.first.requests} == {"one"}


async def test_what_a_model_cannot_do_is_refused_and_costs_no_call(stage: Stage) -> None:
    reply = await stage.ask(model="acme/plain", tools=[TOOL])
    assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
    assert stage.second.requests == []
    assert provider(await stage.ask(model="acme/two", tools=[TOOL])) == "h1"


async def test_a_pin_names_the_provider_in_the_model(stage: Stage) -> None:
    assert provider(await stage.ask(model="h2:acme/two")) == "h2"


async def test_a_router_chooses_among_what_can_be_called(stage: Stage) -> None:
    reply = await stage.ask(model="router:general:cost")
    assert reply.status == 200
    assert reply.headers["x-gatewayz-model"] == reply.json["model"]
    bad = await stage.ask(model="router:general:x")
    assert (bad.status, bad.error["param"]) == (400, "model")
