"""The list of models: shape, views, filters, parts, names, and how quickly it is there."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from openai import AsyncOpenAI

from tests.support.client import chat
from tests.support.engine import RunningEngine, configuration, running_engine

CHEAP = {"provider": "h1", "native_id": "gpt-4o", "input": "1.00", "output": "2.00"}
DEAR = {**CHEAP, "native_id": "gpt-4o-large", "input": "3.00", "cache_read": "0.25"}


@pytest.fixture
async def running(tmp_path: Path) -> Any:
    models = {
        **configuration("")["models"],
        "openai/gpt-4o": {"offers": [CHEAP, DEAR]},
        "acme/draw": {"kind": "image", "offers": [{**CHEAP, "native_id": "draw"}]},
    }
    async with running_engine(tmp_path, models=models) as engine:
        yield engine


async def listed(running: RunningEngine, **query: Any) -> list[dict[str, Any]]:
    account = await running.account()
    reply = await account.get(f"/v1/models?{urlencode(query, doseq=True)}")
    assert reply.status == 200, reply.body
    return list(reply.json["data"])


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


async def test_the_official_client_lists_what_can_be_called(running: RunningEngine) -> None:
    account = await running.account()
    async with AsyncOpenAI(base_url=f"{account.base_url}/v1", api_key=account.api_key) as client:
        models = [model async for model in client.models.list()]
        one = await client.models.retrieve("gpt-4o")
    assert {"acme/alpha", "openai/gpt-4o", "simulator/chat"} <= {model.id for model in models}
    assert all((model.object, model.owned_by != "") == ("model", True) for model in models)
    assert one.id == "openai/gpt-4o"


async def test_a_row_tells_prices_limits_and_where_they_are_from(running: RunningEngine) -> None:
    (row,) = await listed(running, search="gpt-4o")
    assert (row["context_length"], row["max_output_tokens"]) == (128_000, 16_384)
    assert row["modalities"]["output"] == ["text"]
    assert {"tools", "vision"} <= set(row["capabilities"])
    assert (row["providers"], row["provider_count"], row["cheapest"]) == (["h1"], 1, "h1")
    dear = row["offers"][1]
    assert dear["cache_read_usd_per_million"] == "0.25"
    assert dear["source"] == "configuration"


async def test_the_full_view_has_a_row_for_each_offer_that_can_be_called_by_its_id(
    running: RunningEngine,
) -> None:
    rows = await listed(running, view="full", search="gpt-4o")
    assert ids(rows) == ["h1:gpt-4o", "h1:gpt-4o-large"]
    account = await running.account()
    body = {"model": "h1:gpt-4o-large", "messages": [{"role": "user", "content": "hi"}]}
    job = await account.finished(await account.submit(chat(body=body)))
    assert (job["model"], job["status"]) == ("openai/gpt-4o", "succeeded")
    (charge,) = await account.charges(job["id"])
    assert charge["lines"][0]["unit_price_usd_per_million"] == "3.00"


async def test_what_no_enabled_provider_serves_is_listed_when_asked_for(
    running: RunningEngine,
) -> None:
    assert "anthropic/claude-sonnet-4.5" not in ids(await listed(running))
    others = await listed(running, available="false")
    assert "anthropic/claude-sonnet-4.5" in ids(others)
    assert "openai/gpt-4o" not in ids(others)
    rows = await listed(running, available="all", view="full")
    assert len(rows) >= 10_000
    hosts = {row["id"]: row["available"] for row in rows if row["model"] == "openai/gpt-4o"}
    assert (hosts["h1:gpt-4o"], hosts["openai:gpt-4o"]) == (True, False)


async def test_filters_narrow_the_list(running: RunningEngine) -> None:
    assert "acme/embed" in ids(await listed(running, kind="embedding"))
    assert set(ids(await listed(running, provider="h1"))) == {
        "acme/alpha",
        "acme/embed",
        "openai/gpt-4o",
    }
    assert ids(await listed(running, capability=["tools", "vision"])) == ["openai/gpt-4o"]
    assert "openai/gpt-4o" in ids(await listed(running, max_price="2", provider="h1"))
    assert not await listed(running, max_price="0.01", provider="h1")
    assert not await listed(running, min_providers=2, provider="h1")
    by_price = await listed(running, available="all", sort="price", kind="chat", limit=3)
    assert len(by_price) == 3


async def test_a_list_comes_in_parts_only_when_asked(running: RunningEngine) -> None:
    account = await running.account()
    whole = (await account.get("/v1/models")).json
    assert set(whole) == {"object", "data"}
    first = (await account.get("/v1/models?limit=2")).json
    assert (first["has_more"], first["last_id"]) == (True, whole["data"][1]["id"])
    rest = (await account.get(f"/v1/models?limit=100&after={first['last_id']}")).json
    assert ids(first["data"]) + ids(rest["data"]) == ids(whole["data"])
    assert not rest["has_more"]


@pytest.mark.parametrize(
    "query",
    ["view=wide", "available=yes", "max_price=cheap", "after=nobody", "limit=0", "sort=luck"],
)
async def test_a_wrong_question_is_refused(running: RunningEngine, query: str) -> None:
    account = await running.account()
    assert (await account.get(f"/v1/models?{query}")).status == 400


async def test_an_unknown_model_is_a_404_with_names_that_are_close(running: RunningEngine) -> None:
    account = await running.account()
    for name, why in (
        ("openai/gpt-4oo", "did you mean 'openai/gpt-4o'"),
        ("anthropic/claude-sonnet-4.5", "no enabled provider"),
        ("acme/draw", "no endpoint serves"),
    ):
        reply = await account.get(f"/v1/models/{name}")
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")
        assert why in reply.error["message"]


async def test_the_operator_sees_every_offer_and_where_its_sources_disagree(
    running: RunningEngine,
) -> None:
    first = (await running.admin.get("/admin/offers?limit=2&order=asc&provider=h1")).json
    assert (len(first["data"]), first["has_more"]) == (2, True)
    rest = f"/admin/offers?order=asc&provider=h1&after={first['last_id']}"
    rows = [*first["data"], *(await running.admin.get(rest)).json["data"]]
    priced = {row["id"]: row["priced"] for row in rows}
    assert (priced["h1:alpha"], priced["h1:gpt-4o-large"]) == (True, True)
    (row,) = (await running.admin.get("/admin/offers?limit=1&disputed=true")).json["data"]
    assert row["disputed"][0]["source"]
