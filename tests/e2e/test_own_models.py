"""Customers' own keys and the catalogue: what the lists show, and what routers choose from."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.official import anthropic_client
from tests.support.scripted_provider import ScriptedProvider

HOUSE, THEIRS = "sk-house-credential", "sk-customers-own-credential"
PRICES = {"input": "3.00", "output": "4.00"}
CHEAP = {"input": "0.000100", "output": "0.000100"}


@dataclass
class Stage:
    """`acme/two` is sold at h2, `acme/both` at h1 and h2; h3 has `acme/three` and no house key."""

    engine: RunningEngine
    upstream: ScriptedProvider
    account: Account

    async def add(self, provider: str, **more: Any) -> str:
        body = {"provider": provider, "api_key": THEIRS, **more}
        reply = await self.account.post("/v1/provider_keys", body)
        assert reply.status == 201, reply.body
        return str(reply.json["id"])

    async def listed(self, query: str = "", account: Account | None = None) -> dict[str, Any]:
        reply = await (account or self.account).get(f"/v1/models?{query}")
        return {row["id"]: row for row in reply.json["data"]}

    async def routed(self, **changes: Any) -> Answer:
        messages = [{"role": "user", "content": "Say it."}]
        body = {"model": "router:general:cost", "messages": messages, "max_tokens": 50, **changes}
        return await self.account.post("/v1/chat/completions", body)

    @property
    def keys_seen(self) -> list[str]:
        return [one.headers["Authorization"] for one in self.upstream.requests]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with ScriptedProvider() as upstream:
        at = {"protocol": "openai-chat", "base_url": upstream.base_url}
        h1 = {"provider": "h1", "native_id": "one", **PRICES}
        h2 = {"provider": "h2", "native_id": "two", **PRICES}
        h3 = {"provider": "h3", "native_id": "three", **CHEAP}
        async with running_engine(
            tmp_path / "data",
            more_providers={
                "h2": {**at, "api_key": HOUSE, "data_handling": "forgets"},
                "h3": {**at, "api_key": None},
            },
            more_models={
                "acme/two": {"max_output_tokens": 4096, "offers": [h2]},
                "acme/both": {"max_output_tokens": 4096, "offers": [h1, h2]},
                "acme/three": {"max_output_tokens": 4096, "offers": [h3]},
            },
        ) as engine:
            yield Stage(engine, upstream, await engine.account(None))


async def test_the_list_shows_what_an_own_key_calls_and_says_so(stage: Stage) -> None:
    assert "acme/three" not in await stage.listed()
    key_id = await stage.add("h3")
    (offer,) = (await stage.listed())["acme/three"]["offers"]
    assert (offer["provider"], offer["own_key"]) == ("h3", key_id)
    assert "own_key_fallback" not in offer
    assert (await stage.listed("view=full"))["h3:three"]["own_key"] == key_id


async def test_nobody_else_sees_what_an_own_key_calls(stage: Stage) -> None:
    other = await stage.engine.account(None)
    before = (await other.get("/v1/models")).body
    await stage.add("h3")
    await stage.add("h2")
    assert "acme/three" in await stage.listed()
    assert (await other.get("/v1/models")).body == before
    assert (await other.get("/v1/models/acme/three")).status == 404


async def test_two_accounts_with_keys_at_one_provider_each_see_their_own(stage: Stage) -> None:
    other = await stage.engine.account(None)
    mine = await stage.add("h3")
    reply = await other.post("/v1/provider_keys", {"provider": "h3", "api_key": THEIRS})
    for account, key_id in ((stage.account, mine), (other, reply.json["id"])):
        (offer,) = (await stage.listed(account=account))["acme/three"]["offers"]
        assert offer["own_key"] == key_id


async def test_a_removed_key_leaves_the_list(stage: Stage) -> None:
    key_id = await stage.add("h3")
    assert "acme/three" in await stage.listed()
    await stage.account.send("DELETE", f"/v1/provider_keys/{key_id}")
    assert "acme/three" not in await stage.listed()


async def test_an_offer_under_an_own_key_stands_first(stage: Stage) -> None:
    assert (await stage.listed())["acme/both"]["providers"] == ["h1", "h2"]
    await stage.add("h2")
    row = (await stage.listed())["acme/both"]
    assert row["providers"] == ["h2", "h1"]
    assert ["own_key" in offer for offer in row["offers"]] == [True, False]


async def test_the_houses_key_is_said_to_follow_only_where_it_does(stage: Stage) -> None:
    await stage.add("h2", fallback=True)
    await stage.add("h3", fallback=True)
    rows = await stage.listed("view=full")
    assert rows["h2:two"]["own_key_fallback"] is True
    assert "own_key_fallback" not in rows["h3:three"]


async def test_filters_and_the_other_views_know_own_keys(stage: Stage) -> None:
    await stage.add("h3")
    assert set(await stage.listed("provider=h3")) == {"acme/three"}
    assert "acme/three" not in await stage.listed("available=false")
    (offer,) = (await stage.listed("available=all&search=acme/three"))["acme/three"]["offers"]
    assert offer["available"] is True


async def test_one_model_is_found_under_an_own_key(stage: Stage) -> None:
    assert (await stage.account.get("/v1/models/acme/three")).status == 404
    key_id = await stage.add("h3")
    row = (await stage.account.get("/v1/models/acme/three")).json
    assert row["offers"][0]["own_key"] == key_id
    assert row == (await stage.listed())["acme/three"]


async def test_anthropics_clients_see_them_too(stage: Stage) -> None:
    await stage.add("h3")
    async with anthropic_client(stage.account) as client:
        found = [model async for model in client.models.list(limit=1000)]
        one = await client.models.retrieve("acme/three")
    marked = {model.id: (model.model_extra or {}).get("own_key_providers") for model in found}
    assert marked["acme/three"] == ["h3"]
    assert marked["acme/two"] is None
    assert (one.model_extra or {})["own_key_providers"] == ["h3"]


async def test_tokens_are_counted_for_a_model_under_an_own_key(stage: Stage) -> None:
    body = {"model": "acme/three", "messages": [{"role": "user", "content": "Say it."}]}
    assert (await stage.account.post("/v1/messages/count_tokens", body)).status == 404
    await stage.add("h3")
    assert (await stage.account.post("/v1/messages/count_tokens", body)).status == 200


async def test_a_router_chooses_among_what_own_keys_call(stage: Stage) -> None:
    await stage.account.credit("10.00")
    await stage.add("h3")
    reply = await stage.routed()
    assert (reply.status, reply.headers["x-gatewayz-provider"]) == (200, "h3")
    assert reply.headers["x-gatewayz-cost-usd"] == "0.00"
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_a_router_is_held_to_the_providers_that_are_asked_for(stage: Stage) -> None:
    await stage.add("h2")
    reply = await stage.routed(provider={"only": ["h2"]})
    assert (reply.status, reply.headers["x-gatewayz-provider"]) == (200, "h2")
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_a_router_chooses_nothing_that_nobody_has_a_key_for(stage: Stage) -> None:
    assert (await stage.routed(provider={"only": ["h3"]})).status == 400


async def test_a_router_passes_over_what_may_not_serve_under_an_own_key(stage: Stage) -> None:
    await stage.account.credit("10.00")
    await stage.add("h3")
    reply = await stage.routed(provider={"zdr": True})  # nobody vouches for what h3 does with it
    assert (reply.status, reply.headers["x-gatewayz-provider"]) == (200, "h2")
    assert stage.keys_seen == [f"Bearer {HOUSE}"]
