"""What happens before a route is chosen: the key, and the bounds of the body."""

import asyncio
from urllib.parse import urlsplit

import pytest

from api.auth import PUBLIC, is_public
from tests.support.client import Account, Answer, Client
from tests.support.engine import RunningEngine

HUGE = 10 * 2**20
BOUNDED = 64 * 2**10


async def answered(client: Client, *lines: str, body: bytes = b"") -> bytes:
    """The raw reply, up to the closing of the connection, to a request whose body stays away."""
    address = urlsplit(client.base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("\r\n".join([*lines, "host: gatewayz", "", ""]).encode() + body)
    async with asyncio.timeout(10):
        reply = await reader.read()
    writer.close()
    return reply


async def called(client: Client, method: str, path: str) -> Answer:
    return await client.send(method, path.replace("{", "").replace("}", ""), content=b"{")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/keys", "/admin/accounts", "/v1/nothing"])
async def test_a_stranger_is_refused_before_the_body_is_read(
    engine: RunningEngine, path: str
) -> None:
    request = (f"POST {path} HTTP/1.1", f"content-length: {HUGE}")
    reply = await answered(engine.admin, *request, body=b"[[],")
    assert reply.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in reply
    assert b"api_key_missing" in reply


async def test_no_route_but_the_public_ones_answers_a_stranger(engine: RunningEngine) -> None:
    stranger = engine.admin.with_key(None)
    paths = (await stranger.get("/openapi.json")).json["paths"]
    statuses = {
        (method, path): (await called(stranger, method.upper(), path)).status
        for path, operations in paths.items()
        if not is_public(path)
        for method in operations
    }
    assert len(statuses) > 30
    assert set(statuses.values()) == {401}


@pytest.mark.parametrize("path", sorted(PUBLIC))
async def test_a_public_path_answers_a_stranger(engine: RunningEngine, path: str) -> None:
    assert (await engine.admin.with_key(None).get(path)).status == 200


async def test_a_refused_body_that_is_sent_whole_still_gets_its_answer(
    engine: RunningEngine,
) -> None:
    stranger = engine.admin.with_key(None)
    reply = await stranger.send("POST", "/v1/jobs", content=b"[" * HUGE)
    assert (reply.status, reply.error["code"]) == (401, "api_key_missing")


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/webhook_endpoints"])
async def test_only_a_submission_may_be_large(account: Account, path: str) -> None:
    reply = await account.send("POST", path, content=b" " * (BOUNDED + 1))
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


async def test_the_log_is_described_as_asyncapi(engine: RunningEngine) -> None:
    anybody = Client(engine.admin.session, engine.admin.base_url, None)
    document = (await anybody.get("/asyncapi.json")).json
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert any("inference.standard" in address for address in addresses)
