"""What a submission may not bring about: unpriced work, files of refused input, unreadable jobs."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Account, chat
from tests.support.engine import RunningEngine, running_engine

LARGE = "word " * 20_000  # too large to stand inline in an event


def chat_with(**fields: Any) -> dict[str, Any]:
    submission = chat()
    submission["body"] |= fields
    return submission


def blobs(engine: RunningEngine) -> list[Path]:
    return [path for path in (engine.settings.data_dir / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 4096, "max_completion_tokens": 1},
        {"service_tier": "priority"},
        {"best_of": 8},
        {"web_search_options": {}},
        {"search_parameters": {"mode": "on"}},
        {"modalities": ["text", "image"]},
        {"compound_custom": {"tools": {"enabled_tools": ["web_search"]}}},
        {"tools": [{"type": "web_search"}]},
    ],
    ids=str,
)
async def test_what_changes_the_price_unseen_is_refused(
    engine: RunningEngine, account: Account, fields: dict[str, Any]
) -> None:
    head = engine.head
    reply = await account.post("/v1/jobs", chat_with(**fields))
    assert reply.status == 400, reply.body
    assert engine.head == head


async def test_what_is_standard_may_be_named(account: Account) -> None:
    fields = {"service_tier": "default", "modalities": ["text"]}
    reply = await account.post("/v1/jobs", chat_with(**fields))
    assert reply.status == 202


async def test_where_nobody_names_a_limit_the_money_is_for_a_long_answer(tmp_path: Path) -> None:
    """Nothing bounds it upstream, and what passes the hold is nobody's to pay but ours."""
    offer = {"provider": "h1", "native_id": "endless", "input": "1.00", "output": "2.00"}
    endless = {"context_length": 20_000, "offers": [offer]}
    async with running_engine(tmp_path, more_models={"acme/endless": endless}) as engine:
        account = await engine.account()
        submission = chat()
        submission["body"] = {**submission["body"], "model": "acme/endless"}
        del submission["body"]["max_tokens"]
        reply = await account.post("/v1/jobs", submission)
        (first, *_) = (await account.get(f"/v1/jobs/{reply.json['id']}/events")).json["data"]
    assert Decimal(first["data"]["hold_usd"]) >= Decimal("0.04")


async def test_an_input_of_token_ids_is_held_for_by_their_number(account: Account) -> None:
    ids = [1] * 10_000
    body = {"model": "acme/embed", "input": ids}
    reply = await account.post("/v1/jobs", {"endpoint": "/v1/embeddings", "body": body})
    (first, *_) = (await account.get(f"/v1/jobs/{reply.json['id']}/events")).json["data"]
    assert first["data"]["estimated_input_tokens"] >= 10_000


@pytest.mark.parametrize(
    ("address", "least", "most"),
    [("https://a.example/b.jpg", 4_000, 4_300), ("data:image/jpeg;base64,", 10_000, 11_000)],
)
async def test_an_image_is_held_for_as_an_image(
    account: Account, address: str, least: int, most: int
) -> None:
    """Not by its bytes: a photograph is no book, and its address is not free."""
    url = address if address.startswith("https") else address + "A" * 1_000_000
    content = [{"type": "image_url", "image_url": {"url": url}}]
    submission = chat_with(messages=[{"role": "user", "content": content}], provider={"only": []})
    reply = await account.post("/v1/jobs", submission)
    assert reply.status == 202, reply.body
    (first, *_) = (await account.get(f"/v1/jobs/{reply.json['id']}/events")).json["data"]
    assert least <= first["data"]["estimated_input_tokens"] <= most


async def test_a_submission_that_cannot_be_paid_leaves_no_file(engine: RunningEngine) -> None:
    poor = await engine.account(None)
    reply = await poor.post("/v1/jobs", chat(LARGE))
    assert reply.status == 402
    assert blobs(engine) == []


async def test_a_replay_leaves_no_second_file(engine: RunningEngine, account: Account) -> None:
    for _ in range(3):
        reply = await account.post("/v1/jobs", chat(LARGE), **{"idempotency-key": "once"})
        assert reply.status == 202
        await account.finished(reply.json["id"])
    assert len(blobs(engine)) == 1


@pytest.mark.parametrize(
    "field",
    [b'"x": "\xff"', b'"temperature": 1e400', b'"x": ' + b"1" * 6_000],
    ids=["no text", "no finite number", "an endless number"],
)
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}], ids=["plain", "keyed"])
async def test_what_could_not_be_read_again_is_not_accepted(
    account: Account, field: bytes, headers: dict[str, str]
) -> None:
    content = (
        b'{"endpoint": "/v1/chat/completions", "body": {"model": "acme/alpha", '
        b'"messages": [{"role": "user", "content": "hi"}], ' + field + b"}}"
    )
    reply = await account.send("POST", "/v1/jobs", content=content, headers=headers)
    assert (reply.status, reply.error["code"]) == (400, "invalid_json")


async def test_a_replay_is_not_judged_anew(account: Account) -> None:
    deadline = time.time() + 0.5
    submission = chat() | {"deadline": deadline}
    first = await account.post("/v1/jobs", submission, **{"idempotency-key": "once"})
    await account.finished(first.json["id"])
    await asyncio.sleep(max(0, deadline - time.time()))
    again = await account.post("/v1/jobs", submission, **{"idempotency-key": "once"})
    assert (again.status, again.json["id"]) == (202, first.json["id"])
