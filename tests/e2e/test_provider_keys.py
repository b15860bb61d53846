"""Customers' own keys: who is called with them, what they cost, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from domain.event import Event, Recorded
from projections.invariants import violations
from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import ScriptedProvider, Seen, answer, error

OURS, THEIRS = "sk-house-credential", "sk-customers-own-credential"
BODY: dict[str, Any] = {
    "model": "acme/two",
    "messages": [{"role": "user", "content": "Say it."}],
    "max_tokens": 50,
}
PRICES = {"input": "3.00", "output": "4.00"}


@dataclass
class Stage:
    """`acme/two` is sold at h2, `acme/both` at h1 and h2, `acme/three` at h3, which has no key."""

    engine: RunningEngine
    upstream: ScriptedProvider
    account: Account

    async def add(self, provider: str = "h2", key: str = THEIRS, **more: Any) -> str:
        body = {"provider": provider, "api_key": key, **more}
        reply = await self.account.post("/v1/provider_keys", body)
        assert reply.status == 201, reply.body
        key_id: str = reply.json["id"]
        return key_id

    async def ask(self, model: str = "acme/two", **changes: Any) -> Answer:
        return await ask(self.account, model, **changes)

    @property
    def keys_seen(self) -> list[str]:
        return [one.headers["Authorization"] for one in self.upstream.requests]


async def whole_log(engine: RunningEngine) -> list[Recorded[Event]]:
    entries = await engine.engine.ports.store.read_log(0, 10_000)
    return [entry for entry in entries if isinstance(entry, Recorded)]


async def ask(account: Account, model: str = "acme/two", **changes: Any) -> Answer:
    return await account.post("/v1/chat/completions", {**BODY, "model": model, **changes})


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with ScriptedProvider() as upstream:
        at = {"protocol": "openai-chat", "base_url": upstream.base_url}
        h2 = {"provider": "h2", "native_id": "two", **PRICES}
        h1 = {"provider": "h1", "native_id": "one", **PRICES}
        h3 = {"provider": "h3", "native_id": "three", **PRICES}
        limits = {"context_length": 131_072, "max_output_tokens": 4096}
        async with running_engine(
            tmp_path / "data",
            more_providers={"h2": {**at, "api_key": OURS}, "h3": {**at, "api_key": None}},
            more_models={
                "acme/two": {**limits, "offers": [h2]},
                "acme/both": {**limits, "offers": [h1, h2]},
                "acme/three": {**limits, "offers": [h3]},
            },
        ) as engine:
            yield Stage(engine, upstream, await engine.account(None))
            assert not violations(await whole_log(engine))


async def test_a_request_is_made_with_the_accounts_own_key(stage: Stage) -> None:
    await stage.add()
    reply = await stage.ask()
    assert (reply.status, reply.headers["x-gatewayz-provider"]) == (200, "h2")
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_another_account_is_served_with_the_houses_key(stage: Stage) -> None:
    await stage.add()
    assert (await ask(await stage.engine.account())).status == 200
    assert stage.keys_seen == [f"Bearer {OURS}"]


async def test_a_call_with_an_own_key_costs_nothing_and_its_charge_says_why(stage: Stage) -> None:
    await stage.add()
    reply = await stage.ask()
    assert reply.headers["x-gatewayz-cost-usd"] == "0.00"
    (charge,) = await stage.account.charges(reply.headers["x-gatewayz-job-id"])
    assert charge["amount_usd"] == "0.00"
    assert [(line["dimension"], line["quantity"]) for line in charge["lines"]] == [("own_key", 18)]
    assert Decimal((await stage.account.balance())["available_usd"]) == 0


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_own_key_is_told_of_and_the_houses_is_not_used(
    stage: Stage, status: int
) -> None:
    await stage.account.credit("10.00")
    await stage.add()
    stage.upstream.script(error(status))
    reply = await stage.ask()
    assert (reply.status, reply.error["code"]) == (403, "provider_key_refused")
    assert stage.keys_seen == [f"Bearer {THEIRS}"]
    assert (await stage.account.balance())["available_usd"] == "10.00"


async def test_with_consent_the_houses_key_serves_in_its_place_and_is_charged(
    stage: Stage,
) -> None:
    await stage.account.credit("10.00")
    key_id = await stage.add(fallback=True)
    stage.upstream.script(error(401), answer())
    reply = await stage.ask()
    assert reply.status == 200
    assert stage.keys_seen == [f"Bearer {THEIRS}", f"Bearer {OURS}"]
    assert Decimal(reply.headers["x-gatewayz-cost-usd"]) == Decimal("0.000061")
    (charge,) = await stage.account.charges(reply.headers["x-gatewayz-job-id"])
    first, second = charge["attempts"]
    assert (first["outcome"], first["own_key"]) == ("own_key_refused", key_id)
    assert "own_key" not in second


async def test_a_fallback_to_the_houses_key_must_be_paid_for(stage: Stage) -> None:
    await stage.add(fallback=True)
    assert (await stage.ask()).status == 402


async def test_another_provider_serves_as_ever_when_an_own_key_is_refused(stage: Stage) -> None:
    await stage.account.credit("10.00")
    await stage.add()
    stage.upstream.script(error(401))
    reply = await stage.ask("acme/both")
    assert (reply.status, reply.headers["x-gatewayz-provider"]) == (200, "h1")
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_refused_own_keys_are_nothing_against_the_provider(stage: Stage) -> None:
    await stage.add()
    stage.upstream.script(*[error(401)] * 12)
    for _ in range(12):
        await stage.ask()
    assert (await stage.engine.admin.get("/admin/breakers")).json["data"] == []
    assert (await ask(await stage.engine.account())).status == 200


async def test_an_own_key_calls_a_provider_that_the_house_does_not(stage: Stage) -> None:
    assert (await stage.ask("acme/three")).status == 404
    await stage.add("h3")
    assert (await stage.ask("acme/three")).status == 200
    assert (await ask(await stage.engine.account(), "acme/three")).status == 404
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_without_a_house_key_there_is_nothing_to_fall_back_to(stage: Stage) -> None:
    await stage.add("h3", fallback=True)
    stage.upstream.script(error(401))
    assert (await stage.ask("acme/three")).error["code"] == "provider_key_refused"


async def test_a_removed_key_is_used_no_more(stage: Stage) -> None:
    key_id = await stage.add("h3")
    assert (await stage.ask("acme/three")).status == 200
    assert (await stage.account.send("DELETE", f"/v1/provider_keys/{key_id}")).json["deleted"]
    assert (await stage.ask("acme/three")).status == 404
    assert len(stage.upstream.requests) == 1
    again = await stage.account.send("DELETE", f"/v1/provider_keys/{key_id}")
    assert (again.status, again.error["code"]) == (404, "provider_key_not_found")


async def test_a_request_that_runs_makes_no_further_call_with_a_removed_key(stage: Stage) -> None:
    removed = asyncio.Event()

    async def failing_then(request: web.Request, seen: Seen) -> web.StreamResponse:
        await removed.wait()
        return await error(500)(request, seen)

    key_id = await stage.add()
    stage.upstream.script(failing_then)
    asking = asyncio.create_task(stage.ask())
    while not stage.upstream.requests:
        await asyncio.sleep(0.01)
    await stage.account.send("DELETE", f"/v1/provider_keys/{key_id}")
    removed.set()
    assert (await asking).status == 502
    assert len(stage.upstream.requests) == 1


async def test_a_second_key_takes_the_place_of_the_first(stage: Stage) -> None:
    first = await stage.add()
    await stage.ask()
    assert await stage.add(key="sk-the-second-one") == first
    await stage.ask()
    assert stage.keys_seen == [f"Bearer {THEIRS}", "Bearer sk-the-second-one"]
    (shown,) = (await stage.account.get("/v1/provider_keys")).json["data"]
    assert shown["last4"] == "-one"


async def test_streams_jobs_and_answers_alike_are_made_with_the_own_key(stage: Stage) -> None:
    await stage.add()
    assert b"[DONE]" in (await stage.ask(stream=True)).body
    job_id = await stage.account.submit({"endpoint": "/v1/chat/completions", "body": BODY})
    job = await stage.account.finished(job_id)
    assert (job["status"], job["cost_usd"]) == ("succeeded", "0.00")
    assert stage.keys_seen == [f"Bearer {THEIRS}"] * 2


async def test_a_key_is_never_shown(stage: Stage) -> None:
    key_id = await stage.add(fallback=True)
    shown = await stage.account.get(f"/v1/provider_keys/{key_id}")
    assert shown.json == {
        "id": key_id,
        "object": "provider_key",
        "provider": "h2",
        "last4": THEIRS[-4:],
        "fallback": True,
        "created_at": shown.json["created_at"],
    }
    listed = await stage.account.get("/v1/provider_keys")
    assert listed.json["data"] == [shown.json]
    assert THEIRS.encode() not in shown.body + listed.body


async def test_another_account_finds_no_key_and_removes_none(stage: Stage) -> None:
    key_id, other = await stage.add(), await stage.engine.account()
    assert (await other.get("/v1/provider_keys")).json["data"] == []
    assert (await other.get(f"/v1/provider_keys/{key_id}")).status == 404
    assert (await other.send("DELETE", f"/v1/provider_keys/{key_id}")).status == 404
    assert (await stage.ask()).status == 200
    assert stage.keys_seen == [f"Bearer {THEIRS}"]


async def test_only_who_may_manage_keys_may_manage_these(stage: Stage) -> None:
    _, other = await stage.account.key("inference", "jobs")
    body = {"provider": "h2", "api_key": THEIRS}
    assert (await other.post("/v1/provider_keys", body)).status == 403
    assert (await other.get("/v1/provider_keys")).status == 403


async def test_a_repeated_request_adds_nothing_and_another_is_refused(stage: Stage) -> None:
    body, named = {"provider": "h2", "api_key": THEIRS}, {"idempotency-key": "once"}
    first = await stage.account.post("/v1/provider_keys", body, **named)
    head = stage.engine.head
    again = await stage.account.post("/v1/provider_keys", body, **named)
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert stage.engine.head == head
    other = await stage.account.post("/v1/provider_keys", {**body, "provider": "h3"}, **named)
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("provider", ["openai", "bedrock", "alibaba-cloud-cn", "google-gemini"])
async def test_well_known_providers_take_a_key_whether_or_not_the_house_has_one(
    stage: Stage, provider: str
) -> None:
    await stage.add(provider)


@pytest.mark.parametrize(
    ("provider", "code", "why"),
    [
        ("openia", "unknown_provider", "did you mean 'openai'"),
        ("azure-openai", "provider_key_not_supported", "resource"),
        ("databricks", "provider_key_not_supported", "workspace"),
        ("google-vertex", "provider_key_not_supported", "more than a key"),
        ("ollama", "provider_key_not_supported", "without one"),
        ("simulator", "provider_key_not_supported", "without one"),
        ("h1", "provider_key_not_supported", "without one"),
    ],
)
async def test_a_provider_that_a_key_alone_does_not_open_is_refused(
    stage: Stage, provider: str, code: str, why: str
) -> None:
    body = {"provider": provider, "api_key": THEIRS}
    reply = await stage.account.post("/v1/provider_keys", body)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, code, "provider")
    assert why in reply.error["message"]
    assert THEIRS.encode() not in reply.body


@pytest.mark.parametrize(
    "key", ["short", "sk-with-a\nline-break", "sk-with a space", "sk-clé-clé-clé", "k" * 4097, 7]
)
async def test_what_can_be_no_key_is_refused_and_not_repeated(stage: Stage, key: Any) -> None:
    reply = await stage.account.post("/v1/provider_keys", {"provider": "h2", "api_key": key})
    assert (reply.status, reply.error["param"]) == (400, "api_key")
    assert str(key).encode() not in reply.body or key == 7


async def test_nobody_chooses_where_a_key_is_sent(stage: Stage) -> None:
    body = {"provider": "h2", "api_key": THEIRS, "base_url": "http://127.0.0.1:9"}
    assert (await stage.account.post("/v1/provider_keys", body)).status == 400
