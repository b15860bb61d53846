"""Models that search the web at every request: what is held, what is charged, what is not sold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account, Answer
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import answer

PRICED = {"provider": "h1", "native_id": "sonar-pro", "input": "1", "output": "1", "search": "0.01"}
UNPRICED = {"provider": "h1", "native_id": "sonar", "input": "1", "output": "1"}


@dataclass
class Stage:
    """`acme/finds` has a price for its searches, `acme/seeks` has none."""

    engine: RunningEngine
    account: Account

    async def ask(self, model: str = "acme/finds") -> Answer:
        messages = [{"role": "user", "content": "Look it up."}]
        body = {"model": model, "messages": messages, "max_tokens": 50}
        return await self.account.post("/v1/chat/completions", body)

    async def charged(self, **usage: Any) -> list[tuple[str, int, str]]:
        """The lines of the charge beside those of the tokens."""
        if usage:
            self.engine.upstream.script(answer(usage=usage))
        reply = await self.ask()
        assert reply.status == 200, reply.body
        (charge,) = await self.account.charges(reply.headers["x-gatewayz-job-id"])
        return [
            (line["dimension"], line["quantity"], line["amount_usd"])
            for line in charge["lines"]
            if line["dimension"] not in ("input", "output")
        ]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    models = {"acme/finds": {"offers": [PRICED]}, "acme/seeks": {"offers": [UNPRICED]}}
    async with running_engine(tmp_path / "data", more_models=models) as engine:
        yield Stage(engine, await engine.account())


async def test_searches_are_charged_as_the_host_counts_them(stage: Stage) -> None:
    counted = {"prompt_tokens": 5, "completion_tokens": 5, "num_search_queries": 3}
    assert await stage.charged(**counted) == [("search", 3, "0.03")]


async def test_one_search_is_charged_where_the_host_says_nothing(stage: Stage) -> None:
    assert await stage.charged() == [("search", 1, "0.01")]


async def test_money_for_the_searches_is_held_before(stage: Stage) -> None:
    poor = Stage(stage.engine, await stage.engine.account("0.09"))
    assert (await poor.ask()).status == 402
    await poor.account.credit("0.05")
    assert (await poor.ask()).status == 200
    assert Decimal((await poor.account.balance())["available_usd"]) < Decimal("0.14")


async def test_what_has_no_price_for_its_searches_is_not_sold_and_the_operator_sees_why(
    stage: Stage,
) -> None:
    assert (await stage.ask("acme/seeks")).status == 404
    rows = (await stage.engine.admin.get("/admin/offers?provider=h1&unsold=true")).json["data"]
    assert [(row["id"], row["priced"], row["unsold_because"]) for row in rows] == [
        ("h1:sonar", False, "unpriced_searches")
    ]
    (row,) = (await stage.account.get("/v1/models?search=acme/finds")).json["data"]
    assert row["offers"][0]["search_usd"] == "0.01"
