"""Bad requests: the documented error, nothing recorded, never a 5xx."""

import json
from typing import Any

import pytest

from tests.support.client import Account, Answer, chat
from tests.support.engine import RunningEngine

GONE = "job_" + "0" * 32
MESSAGES = [{"role": "user", "content": "Hi"}]


def with_body(**changes: Any) -> dict[str, Any]:
    """A submission whose inner body is changed; a value of None takes the field out."""
    submission = chat()
    body = {**submission["body"], **changes}
    submission["body"] = {name: value for name, value in body.items() if value is not None}
    return submission


BAD_SUBMISSIONS: dict[str, tuple[Any, int, str, str | None]] = {
    "an unknown field": (chat(colour="red"), 400, "invalid_request", None),
    "an unknown endpoint": (chat(endpoint="/v1/none"), 400, "invalid_request", "endpoint"),
    "no body": ({"endpoint": "/v1/chat/completions"}, 400, "invalid_request", None),
    "a list": ([], 400, "invalid_request", None),
    "a body that is a list": (chat(body=[]), 400, "invalid_request", "body"),
    "no model": (with_body(model=None), 400, "invalid_request", "body"),
    "an unknown model": (with_body(model="alpah"), 404, "model_not_found", "model"),
    "a model of the other kind": (with_body(model="embed"), 400, "", None),
    "no messages": (with_body(messages=[]), 400, "invalid_request", "body.messages"),
    "a message without role": (with_body(messages=[{}]), 400, "invalid_request", None),
    "too many tokens": (with_body(max_tokens=5000), 400, "max_tokens_exceeded", "body.max_tokens"),
    "negative tokens": (with_body(max_tokens=-1), 400, "invalid_request", "body.max_tokens"),
    "too many choices": (with_body(n=1000), 400, "invalid_request", "body.n"),
    "a lane that is none": (chat(lane="fast"), 400, "invalid_request", "lane"),
    "metadata that is no object": (chat(metadata=[]), 400, "invalid_request", "metadata"),
    "a metadata value that is no text": (chat(metadata={"a": 1}), 400, "invalid_request", None),
    "an empty metadata key": (chat(metadata={"": "a"}), 400, "invalid_request", None),
    "a long metadata value": (chat(metadata={"a": "b" * 513}), 400, "invalid_request", None),
    "too much metadata": (
        chat(metadata={str(i): "" for i in range(17)}),
        400,
        "invalid_request",
        "metadata",
    ),
    "a deadline in the past": (chat(deadline=1_000_000_000), 400, "invalid_request", "deadline"),
    "a deadline that is no time": (chat(deadline="soon"), 400, "invalid_request", "deadline"),
    "a deadline beyond a year": (chat(deadline=9e12), 400, "invalid_request", "deadline"),
    "a webhook without url": (chat(webhook={}), 400, "invalid_request", "webhook"),
    "a webhook of another scheme": (chat(webhook={"url": "ftp://a.example"}), 400, "", None),
    "a webhook event that is none": (
        chat(webhook={"url": "https://a.example", "events": ["job.born"]}),
        400,
        "invalid_request",
        None,
    ),
}
RAW: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"endpoint": "/v1/chat',
    "no JSON": b"hello",
    "bytes that are no text": b'{"endpoint": "\xff\xfe"}',
    "a lone surrogate": b'{"endpoint": "\\ud800", "name": "\\ud800"}',
    "a number that is none": b'{"endpoint": "/v1/embeddings", "body": NaN}',
    "very deep": b"[" * 60_000,
}
# What an account may not reach: unknown ids and another account's are not told apart.
ID_ROUTES = [
    ("GET", "/v1/jobs/{job}"),
    ("GET", "/v1/jobs/{job}?wait=1"),
    ("GET", "/v1/jobs/{job}/result"),
    ("GET", "/v1/jobs/{job}/events"),
    ("POST", "/v1/jobs/{job}/cancel"),
    ("GET", "/v1/billing/charges/{charge}"),
    ("GET", "/v1/keys/{key}"),
    ("PATCH", "/v1/keys/{key}"),
    ("POST", "/v1/keys/{key}/rotate"),
    ("POST", "/v1/keys/{key}/revoke"),
    ("DELETE", "/v1/keys/{key}"),
    ("GET", "/v1/webhook_endpoints/{endpoint}"),
    ("POST", "/v1/webhook_endpoints/{endpoint}"),
    ("DELETE", "/v1/webhook_endpoints/{endpoint}"),
    ("POST", "/v1/webhook_endpoints/{endpoint}/rotate_secret"),
    ("POST", "/v1/webhook_endpoints/{endpoint}/test"),
    ("GET", "/v1/webhook_deliveries/{delivery}"),
    ("POST", "/v1/webhook_deliveries/{delivery}/redeliver"),
]
SCOPED = [
    ("GET", "/v1/jobs", "billing:read"),
    ("POST", "/v1/jobs", "billing:read"),
    ("GET", "/v1/jobs/" + GONE, "keys"),
    ("GET", "/v1/billing/balance", "jobs"),
    ("GET", "/v1/billing/ledger", "keys"),
    ("GET", "/v1/keys", "jobs"),
    ("GET", "/v1/webhook_endpoints", "jobs"),
    ("GET", "/v1/webhook_endpoints/default/secret", "jobs"),
    ("GET", "/admin/accounts", "jobs"),
    ("POST", "/admin/accounts", "keys"),
]
QUERIES = [
    "/v1/jobs?after=nonsense",
    "/v1/jobs?after=" + GONE,
    "/v1/jobs?limit=0",
    "/v1/jobs?limit=101",
    "/v1/jobs?limit=x",
    "/v1/jobs?order=up",
    "/v1/jobs?status=gone",
    "/v1/jobs?as_of=nonsense",
    "/v1/jobs?as_of=99999999",
    "/v1/jobs?colour=red",
    "/v1/jobs?" + "&".join(f"metadata.key{number}=x" for number in range(17)),
    "/v1/billing/ledger?after=nonsense",
    "/v1/billing/ledger?type=gift",
    "/v1/billing/charges?as_of=-1",
    "/v1/billing/ledger?colour=red",
    "/v1/billing/charges?colour=red",
    "/v1/billing/balance?as_of=1",
    "/v1/keys?colour=red",
    "/v1/keys?limit=0",
    "/v1/keys?after=nonsense",
]


def assert_refused(reply: Answer, status: int, code: str = "") -> None:
    assert reply.status == status, reply.body
    assert code in {"", reply.error["code"]}, reply.error


@pytest.mark.parametrize("name", BAD_SUBMISSIONS)
async def test_a_bad_submission_is_refused_and_leaves_no_trace(
    engine: RunningEngine, account: Account, name: str
) -> None:
    submission, status, code, param = BAD_SUBMISSIONS[name]
    head = engine.head
    reply = await account.post("/v1/jobs", submission)
    assert_refused(reply, status, code)
    assert param is None or reply.error["param"] == param
    assert engine.head == head


@pytest.mark.parametrize("name", RAW)
async def test_a_body_that_is_no_json_is_refused_and_leaves_no_trace(
    engine: RunningEngine, account: Account, name: str
) -> None:
    head = engine.head
    assert_refused(await account.send("POST", "/v1/jobs", content=RAW[name]), 400)
    assert_refused(await account.send("POST", "/v1/keys", content=RAW[name]), 400)
    assert engine.head == head


@pytest.mark.parametrize(
    "content", [b"[" * 60_000, b'{"name": "\xff\xfe"}', b'{"name": ' + b"9" * 5000 + b"}"]
)
async def test_what_json_cannot_be_is_said_to_be_no_json(account: Account, content: bytes) -> None:
    reply = await account.send("POST", "/v1/keys", content=content)
    assert_refused(reply, 400, "invalid_json")


async def test_an_unknown_model_comes_with_a_suggestion(account: Account) -> None:
    reply = await account.post("/v1/jobs", with_body(model="acme/alpah"))
    assert "acme/alpha" in reply.error["message"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/keys", "/v1/webhook_endpoints"])
async def test_a_body_of_twenty_megabytes_is_too_large(
    engine: RunningEngine, account: Account, path: str
) -> None:
    head = engine.head
    content = json.dumps(chat("x" * 20 * 2**20)).encode()
    assert_refused(await account.send("POST", path, content=content), 413, "request_too_large")
    assert engine.head == head


@pytest.mark.parametrize(("method", "path"), ID_ROUTES)
async def test_what_another_account_owns_cannot_be_found(
    engine: RunningEngine, account: Account, method: str, path: str
) -> None:
    job_id = await account.submit()
    await account.finished(job_id)
    key_id, _ = await account.key("jobs")
    made = await account.post(
        "/v1/webhook_endpoints", {"url": "http://127.0.0.1:1/hook", "event_types": ["job.failed"]}
    )
    owned = {
        "job": job_id,
        "charge": (await account.charges(job_id))[0]["id"],
        "key": key_id,
        "endpoint": made.json["id"],
        "delivery": "whd_" + "0" * 32,
    }
    other = await engine.account()
    body: dict[str, Any] | None = {} if method in {"POST", "PATCH"} else None
    head = engine.head
    assert_refused(await other.send(method, path.format(**owned), body), 404)
    nothing = dict.fromkeys(owned, "nothing")
    assert_refused(await other.send(method, path.format(**nothing), body), 404)
    assert engine.head == head


@pytest.mark.parametrize(("method", "path", "scope"), SCOPED)
async def test_a_key_without_the_scope_is_refused(
    engine: RunningEngine, account: Account, method: str, path: str, scope: str
) -> None:
    _, narrow = await account.key(scope)
    head = engine.head
    reply = await narrow.send(method, path, {"name": "x"} if method == "POST" else None)
    assert_refused(reply, 403, "insufficient_permissions")
    assert engine.head == head


@pytest.mark.parametrize("path", QUERIES)
async def test_a_bad_query_is_refused(account: Account, path: str) -> None:
    assert_refused(await account.get(path), 400)


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "inf"])
async def test_a_bad_wait_is_refused(account: Account, wait: str) -> None:
    job_id = await account.submit()
    assert_refused(await account.get(f"/v1/jobs/{job_id}?wait={wait}"), 400, "invalid_request")


@pytest.mark.parametrize("position", ["soon", "-1", "1.5", "٣", "9" * 5000])
async def test_a_bad_last_event_id_is_refused(account: Account, position: str) -> None:
    job_id = await account.submit()
    headers = {"accept": "text/event-stream", "last-event-id": position}
    reply = await account.get(f"/v1/jobs/{job_id}/events", **headers)
    assert_refused(reply, 400, "invalid_request")


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
async def test_a_bad_idempotency_key_is_refused(account: Account, key: str) -> None:
    assert_refused(await account.post("/v1/jobs", chat(), **{"idempotency-key": key}), 400)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "api_key_missing"),
        ({"authorization": "Basic abc"}, "api_key_malformed"),
        ({"authorization": "Bearer "}, "api_key_malformed"),
        ({"authorization": "Bearer gw_live_unknown"}, "invalid_api_key"),
        ({"x-api-key": "gw_live_unknown"}, "invalid_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/billing/balance", "/admin/accounts"])
async def test_no_key_and_a_bad_key_are_refused(
    engine: RunningEngine, path: str, headers: dict[str, str], code: str
) -> None:
    nobody = engine.admin.with_key(None)
    assert_refused(await nobody.get(path, **headers), 401, code)


async def test_an_unknown_route_and_a_wrong_method_are_told_apart(account: Account) -> None:
    assert_refused(await account.get("/v1/nothing"), 404, "route_not_found")
    assert_refused(await account.send("PUT", "/v1/jobs"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("PUT", "/v1/jobs/" + GONE, "GET, HEAD"),
        ("DELETE", "/v1/jobs/" + GONE, "GET, HEAD"),
        ("PATCH", "/v1/jobs/" + GONE, "GET, HEAD"),
        ("HEAD", f"/v1/jobs/{GONE}/cancel", "POST"),
        ("POST", "/v1/keys/key_1", "GET, HEAD, PATCH, DELETE"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    account: Account, method: str, path: str, allowed: str
) -> None:
    reply = await account.send(method, path)
    assert (reply.status, reply.headers.get("allow")) == (405, allowed)


@pytest.mark.parametrize("path", ["/health", "/v1/jobs", "/v1/billing/balance"])
async def test_a_head_answers_as_its_get_without_the_body(account: Account, path: str) -> None:
    reply = await account.send("HEAD", path)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == "application/json"


async def test_a_job_answers_a_head(account: Account) -> None:
    reply = await account.send("HEAD", f"/v1/jobs/{await account.submit()}")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_is_json_whatever_its_content_type_says(
    account: Account, content_type: str
) -> None:
    headers = {"content-type": content_type}
    reply = await account.send("POST", "/v1/keys", {"name": "second"}, headers=headers)
    assert reply.status == 201, reply.body


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "abc", "0.0000000000001", "99999999999"])
async def test_a_bad_amount_of_credit_is_refused(
    engine: RunningEngine, account: Account, amount: str
) -> None:
    head = engine.head
    path = f"/admin/accounts/{account.account_id}/credits"
    assert_refused(await engine.admin.post(path, {"amount_usd": amount, "reason": "gift"}), 400)
    assert engine.head == head
