"""What a provider lists can be called after a sync, and what the operator says comes first."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account
from tests.support.engine import RunningEngine, running_engine
from tests.support.list_provider import ListProvider, listed, settings_of, usual


@pytest.fixture
async def provider() -> AsyncIterator[ListProvider]:
    async with ListProvider() as opened:
        opened.tell(usual())
        yield opened


@pytest.fixture
async def engine(tmp_path: Path, provider: ListProvider) -> AsyncIterator[RunningEngine]:
    async with running_engine(tmp_path / "data", **settings_of(provider.base_url)) as running:
        yield running


async def synced(engine: RunningEngine, **how: Any) -> dict[str, Any]:
    """What came of reading the list."""
    answer = await engine.admin.post("/admin/catalogue/sync", {"provider": "h2", **how})
    assert answer.status == 200, answer.body
    (outcome,) = answer.json["data"]
    found: dict[str, Any] = outcome
    return found


async def names(account: Account) -> set[str]:
    return {one["id"] for one in (await account.get("/v1/models?provider=h2")).json["data"]}


async def called(account: Account, model: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
    return (await account.post("/v1/chat/completions", body)).status


async def test_a_new_model_on_the_list_can_be_called_after_a_sync(
    engine: RunningEngine, provider: ListProvider
) -> None:
    account = await engine.account()
    assert await called(account, "acme/fresh") == 404
    provider.tell([*usual(), listed("acme/fresh", "5.00")])
    outcome = await synced(engine)
    assert (outcome["result"], outcome["offers"]) == ("synced", 1)
    assert "acme/fresh" in await names(account)
    assert await called(account, "acme/fresh") == 200
    assert provider.called[-1]["model"] == "acme/fresh"


async def test_what_a_new_model_costs_is_what_its_list_says(
    engine: RunningEngine, provider: ListProvider
) -> None:
    account = await engine.account()
    provider.tell([*usual(), listed("acme/fresh", "5.00")])
    await synced(engine)
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": "acme/fresh", "messages": messages, "max_tokens": 9}
    job = await account.finished(
        await account.submit({"endpoint": "/v1/chat/completions", "body": body})
    )
    (charge,) = await account.charges(job["id"])
    assert charge["amount_usd"] == "0.000125"  # 11 tokens in at 5, 7 out at 10 USD per million


async def test_a_delisted_offer_is_gone_and_stays_gone(
    engine: RunningEngine, provider: ListProvider
) -> None:
    account, offer = await engine.account(), {"provider": "h2", "native_id": "acme/fresh"}
    provider.tell([*usual(), listed("acme/fresh", "5.00")])
    await synced(engine)
    delisted = await engine.admin.post("/admin/offers/delist", {**offer, "reason": "bad"})
    assert (delisted.status, delisted.json["delisted"]) == (200, True)
    assert await called(account, "acme/fresh") == 404
    await synced(engine)
    assert "acme/fresh" not in await names(account)
    told = (await engine.admin.get("/admin/offers/delisted")).json["data"]
    assert [(one["native_id"], one["reason"]) for one in told] == [("acme/fresh", "bad")]
    await engine.admin.post("/admin/offers/relist", {**offer, "reason": "better"})
    assert await called(account, "acme/fresh") == 200


async def test_a_list_in_another_unit_waits_in_quarantine_until_it_is_released(
    engine: RunningEngine, provider: ListProvider
) -> None:
    account = await engine.account()
    wrong = [listed(one["id"], f"{1000 * (n + 1)}.00") for n, one in enumerate(usual())]
    provider.tell([*wrong, listed("acme/fresh", "900.00")])
    assert (await synced(engine))["quarantined"] == 1
    assert "acme/fresh" not in await names(account)
    (held,) = (await engine.admin.get("/admin/catalogue/quarantine")).json["data"]
    assert (held["why"], held["listed"]["input"]) == ("anchors", "900.00")
    release = {"provider": "h2", "native_id": "acme/fresh", "reason": "it is so"}
    assert (await engine.admin.post("/admin/catalogue/release", release)).status == 200
    assert "acme/fresh" in await names(account)
    assert (await engine.admin.get("/admin/catalogue/quarantine")).json["data"] == []


async def test_a_shrunk_list_is_kept_out_until_the_operator_accepts_it(
    engine: RunningEngine, provider: ListProvider
) -> None:
    account = await engine.account()
    provider.tell([*usual(), *(listed(f"acme/n{one}", "1.00") for one in range(9))])
    await synced(engine)
    provider.tell(usual())
    outcome = await synced(engine)
    assert (outcome["result"], outcome["why"]) == ("refused", "shrunk")
    assert len(await names(account)) == 13
    (feed,) = (await engine.admin.get("/admin/catalogue/feeds")).json["data"]
    assert (feed["refused"], feed["listed"]) == ("shrunk", 13)
    assert (await synced(engine, accept_fewer=True))["gone"] == 9
    assert len(await names(account)) == 4


async def test_what_was_synced_and_delisted_outlives_a_restart(
    tmp_path: Path, provider: ListProvider
) -> None:
    provider.tell([*usual(), listed("acme/fresh", "5.00"), listed("acme/other", "5.00")])
    settings, offer = settings_of(provider.base_url), {"provider": "h2", "native_id": "acme/other"}
    async with running_engine(tmp_path / "data", **settings) as running:
        await synced(running)
        await running.admin.post("/admin/offers/delist", {**offer, "reason": "bad"})
    async with running_engine(tmp_path / "data", **settings_of(provider.base_url)) as running:
        account = await running.account()
        assert await names(account) == {"acme/m1", "acme/m2", "acme/m3", "acme/m4", "acme/fresh"}
        assert await called(account, "acme/fresh") == 200


async def test_only_the_operator_may(engine: RunningEngine) -> None:
    account = await engine.account()
    offer = {"provider": "h2", "native_id": "m1", "reason": "mine"}
    for path, body in (("catalogue/sync", {}), ("offers/delist", offer)):
        assert (await account.post(f"/admin/{path}", body)).status == 403


async def test_what_is_not_there_cannot_be_changed(engine: RunningEngine) -> None:
    nobody = {"provider": "h2", "native_id": "nothing", "reason": "?"}
    for path in ("offers/delist", "offers/relist", "catalogue/release"):
        assert (await engine.admin.post(f"/admin/{path}", nobody)).status == 404
    assert (await engine.admin.post("/admin/catalogue/sync", {"provider": "h1"})).status == 404
