"""The status page, and what operators see and do of the breakers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.event import Recorded
from tests.support.client import Account, chat
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import answer, error

BREAKER = {"consecutive_failures": 3, "open_seconds": 0.5}


async def until(read: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What `read` brings once it is as wanted."""
    async with asyncio.timeout(10):
        while not wanted(seen := await read()):
            await asyncio.sleep(0.05)
        return seen


async def page(engine: RunningEngine, path: str = "/v1/status") -> dict[str, Any]:
    reply = await engine.admin.with_key(None).get(path)
    assert reply.status == 200, reply.json
    body: dict[str, Any] = reply.json
    return body


async def provider(engine: RunningEngine) -> dict[str, Any]:
    found = {one["id"]: one for one in (await page(engine))["providers"]}
    return dict(found["h1"])


async def breakers(engine: RunningEngine, query: str = "") -> list[dict[str, Any]]:
    reply = await engine.admin.get(f"/admin/breakers{query}")
    assert reply.status == 200, reply.json
    return list(reply.json["data"])


def are_over(page: dict[str, Any]) -> bool:
    incidents = page["incidents"]
    return bool(incidents) and all(one["resolved_at"] is not None for one in incidents)


async def run_jobs(account: Account, count: int) -> None:
    for _ in range(count):
        await account.finished(await account.submit(chat()))


async def broken(engine: RunningEngine) -> dict[str, Any]:
    """The one open breaker, once the model at the provider has failed often enough."""
    engine.upstream.default = error(503)
    await run_jobs(await engine.account(), 3)
    (found,) = await until(lambda: breakers(engine, "?state=open"), bool)
    return dict(found)


async def test_callers_in_haste_do_not_open_a_breaker_for_everybody(
    engine: RunningEngine, account: Account
) -> None:
    engine.upstream.default = answer(delay=3)
    jobs = [await account.submit(chat(deadline="0.5s")) for _ in range(6)]
    for job in jobs:
        await account.finished(job)
    assert await breakers(engine, "?state=open") == []


async def test_a_stranger_sees_that_nothing_is_known_yet(engine: RunningEngine) -> None:
    first = await provider(engine)
    assert (first["status"], first["uptime"], first["p50_ms"]) == ("unknown", None, None)


async def test_a_provider_that_answers_is_online_with_its_figures(
    engine: RunningEngine, account: Account
) -> None:
    await run_jobs(account, 3)
    seen = await until(lambda: provider(engine), lambda one: one["status"] == "online")
    assert seen["uptime"] == 1.0
    assert seen["p50_ms"] >= 1
    hours = (await page(engine, "/v1/status/h1"))["hours"]
    assert [hour["uptime"] for hour in hours] == [1.0]


async def test_a_provider_that_there_is_not_is_a_404(engine: RunningEngine) -> None:
    assert (await engine.admin.with_key(None).get("/v1/status/nobody")).status == 404


async def test_a_model_that_fails_is_an_incident_for_all_to_see(engine: RunningEngine) -> None:
    await broken(engine)
    seen = await until(lambda: page(engine), lambda one: one["incidents"])
    (incident,) = seen["incidents"]
    assert (incident["provider"], incident["model"]) == ("h1", "alpha")
    assert (incident["severity"], incident["resolved_at"]) == ("degraded", None)
    assert "reason" not in incident
    assert seen["status"] == "degraded"


async def test_an_operator_sees_why_a_breaker_is_open(engine: RunningEngine) -> None:
    found = await broken(engine)
    assert (found["provider"], found["native_id"], found["reason"]) == ("h1", "alpha", "overloaded")
    assert found["retry_at"] > found["opened_at"]


async def test_a_reset_closes_a_breaker_and_its_incident(engine: RunningEngine) -> None:
    found = await broken(engine)
    reply = await engine.admin.post(f"/admin/breakers/{found['id']}/reset")
    assert (reply.status, reply.json["state"]) == (200, "closed")
    assert await breakers(engine, "?state=open") == []
    await until(lambda: page(engine), are_over)
    engine.upstream.default = answer()
    await run_jobs(await engine.account(), 1)


async def test_resetting_a_closed_breaker_changes_nothing(
    engine: RunningEngine, account: Account
) -> None:
    await run_jobs(account, 1)
    (found, _) = await breakers(engine)
    head = engine.head
    reply = await engine.admin.post(f"/admin/breakers/{found['id']}/reset")
    assert (reply.status, reply.json["state"]) == (200, "closed")
    entries = await engine.engine.ports.source.read(head, 100)
    changes = [one for one in entries if isinstance(one, Recorded)]
    assert not [one for one in changes if "breaker" in one.event.event_name]


async def test_a_breaker_that_there_is_not_is_a_404(engine: RunningEngine) -> None:
    assert (await engine.admin.post("/admin/breakers/brk_0/reset")).status == 404


@pytest.mark.parametrize("path", ["/admin/breakers", "/admin/breakers/brk_0/reset"])
async def test_breakers_are_for_administrators_alone(account: Account, path: str) -> None:
    reply = await (account.post(path) if path.endswith("reset") else account.get(path))
    assert reply.status == 403


async def test_a_breaker_closes_again_once_the_provider_answers(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", breaker=BREAKER) as engine:
        await broken(engine)
        engine.upstream.default = answer()
        account = await engine.account()

        async def closed() -> bool:
            await run_jobs(account, 1)
            return await breakers(engine, "?state=closed&provider=h1") != [] and not (
                await breakers(engine, "?state=open") or await breakers(engine, "?state=half_open")
            )

        assert await until(closed, bool)
        await until(lambda: page(engine), are_over)
