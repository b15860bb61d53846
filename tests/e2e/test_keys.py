"""API keys over HTTP: revoking, rotating and scopes act on the next request."""

import time

import pytest

from tests.support.client import Account, Client
from tests.support.engine import RunningEngine


async def test_a_revoked_key_stops_with_the_next_request(account: Account) -> None:
    key_id, second = await account.key("jobs")
    assert (await second.get("/v1/jobs")).status == 200
    assert (await account.post(f"/v1/keys/{key_id}/revoke")).json["status"] == "revoked"
    reply = await second.get("/v1/jobs")
    assert (reply.status, reply.error["code"]) == (401, "api_key_revoked")


async def test_a_revoked_key_stops_for_submissions_too(
    engine: RunningEngine, account: Account
) -> None:
    key_id, second = await account.key("jobs")
    await second.submit()
    await account.send("DELETE", f"/v1/keys/{key_id}")
    assert (await second.post("/v1/jobs", {})).status == 401


async def test_both_secrets_work_during_the_overlap_of_a_rotation(account: Account) -> None:
    key_id, old = await account.key("jobs")
    reply = await account.post(f"/v1/keys/{key_id}/rotate", {"overlap_seconds": 60})
    new = account.with_key(reply.json["api_key"])
    assert [(await one.get("/v1/jobs")).status for one in (old, new)] == [200, 200]


async def test_a_rotation_without_overlap_ends_the_old_secret(account: Account) -> None:
    key_id, old = await account.key("jobs")
    reply = await account.post(f"/v1/keys/{key_id}/rotate")
    new = account.with_key(reply.json["api_key"])
    assert [(await one.get("/v1/jobs")).status for one in (old, new)] == [401, 200]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_key_is_taken_as_a_bearer_token(account: Account, scheme: str) -> None:
    nobody = account.with_key(None)
    reply = await nobody.get("/v1/jobs", authorization=f"{scheme} {account.api_key}")
    assert reply.status == 200


async def test_a_key_is_taken_from_the_x_api_key_header(account: Account) -> None:
    nobody: Client = account.with_key(None)
    assert (await nobody.get("/v1/jobs", **{"x-api-key": account.api_key or ""})).status == 200


async def test_a_key_gives_no_scope_that_it_lacks(account: Account) -> None:
    _, manager = await account.key("keys")
    reply = await manager.post("/v1/keys", {"name": "more", "scopes": ["billing:read"]})
    assert reply.status == 403
    assert reply.error["type"] == "permission_error"


async def test_an_expiring_key_cannot_outlive_itself(account: Account) -> None:
    soon = time.time() + 600
    made = (await account.post("/v1/keys", {"name": "day", "expires_at": soon})).json
    day = account.with_key(made["api_key"])
    path = f"/v1/keys/{made['key']['id']}"
    assert (await day.send("PATCH", path, {"expires_at": None})).status == 403
    assert (await day.post("/v1/keys", {"name": "eternal", "expires_at": None})).status == 403
    inherited = (await day.post("/v1/keys", {"name": "child"})).json["key"]
    assert inherited["expires_at"] == made["key"]["expires_at"]


async def test_the_scope_keys_alone_revokes_no_other_key(
    engine: RunningEngine, account: Account
) -> None:
    key_id, manager = await account.key("keys")
    other, _ = await account.key("jobs")
    reply = await manager.send("DELETE", f"/v1/keys/{other}")
    assert (reply.status, reply.error["code"]) == (403, "insufficient_permissions")
    assert (await manager.post(f"/v1/keys/{key_id}/revoke")).json["status"] == "revoked"


async def test_keys_are_listed_by_pages_newest_first(account: Account) -> None:
    made = [(await account.key("jobs"))[0] for _ in range(3)]
    first = (await account.get("/v1/keys?limit=2")).json
    assert [key["id"] for key in first["data"]] == [made[2], made[1]]
    assert (first["first_id"], first["has_more"]) == (made[2], True)
    rest = (await account.get(f"/v1/keys?limit=2&after={first['last_id']}")).json
    assert (rest["data"][0]["id"], rest["has_more"]) == (made[0], False)
    oldest = (await account.get("/v1/keys?order=asc&limit=1")).json
    assert oldest["data"][0]["id"] == rest["data"][-1]["id"]


async def test_the_operators_lists_are_paged_and_refuse_what_they_do_not_know(
    engine: RunningEngine,
) -> None:
    for name in ("accounts", "dead_letters", "providers", "offers", "projections"):
        listed = (await engine.admin.get(f"/admin/{name}?limit=1")).json
        assert len(listed["data"]) <= 1
        assert set(listed) == {"object", "data", "first_id", "last_id", "has_more"}
        refused = await engine.admin.get(f"/admin/{name}?colour=red")
        assert (refused.status, refused.error["param"]) == (400, "colour")


async def test_secrets_of_keys_are_shown_once(account: Account) -> None:
    listed = (await account.get("/v1/keys")).body.decode()
    assert account.api_key is not None
    assert account.api_key not in listed
    assert account.api_key[-4:] in listed
