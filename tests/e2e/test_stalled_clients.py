"""A client that stops reading: it is borne for a while, holds little, and then counts as gone."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.client import Account, Client
from tests.support.engine import RunningEngine, running_engine
from tests.support.scripted_provider import USAGE, Seen, answer, chunk

# More than the buffers of all connections on the way hold together.
CHUNKS, CHUNK_BYTES = 6000, 4000
WORD = "x" * CHUNK_BYTES


class Fast:
    """An answer of many large chunks, as fast as they are taken; `written` says how many were."""

    def __init__(self) -> None:
        self.written = 0

    async def __call__(self, request: web.Request, _seen: Seen) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(CHUNKS):
            await response.write(f"data: {chunk({'content': WORD})}\n\n".encode())
            self.written += 1
        usage = json.dumps({"id": "c", "choices": [], "usage": USAGE})
        await response.write(f"data: {chunk({}, 'stop')}\n\ndata: {usage}\n\n".encode())
        await response.write_eof()
        return response

    async def stalled(self) -> int:
        """How much was written when nothing more is."""
        async with asyncio.timeout(20):
            while True:
                before = self.written
                await asyncio.sleep(0.3)
                if 0 < self.written == before:
                    return before


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    """It bears silent clients for long, and silent providers hardly."""
    attempts = {"chunk_timeout": 0.5, "first_byte_timeout": 0.5, "connect_timeout": 0.5}
    async with running_engine(tmp_path, attempts=attempts) as running:
        yield running


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[RunningEngine]:
    async with running_engine(tmp_path, http={"write_timeout": 0.5}) as running:
        yield running


@contextmanager
def asked(client: Client, *, stream: bool = True) -> Iterator[socket.socket]:
    """The connection of a client that has sent a request and read nothing yet."""
    body = json.dumps(
        {"model": "alpha", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    )
    host, port = client.base_url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.setblocking(False)
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n"
            f"authorization: Bearer {client.api_key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        yield connection


async def rest(connection: socket.socket) -> bytes:
    """What is there to read until the connection ends, however it does."""
    loop, parts = asyncio.get_running_loop(), []
    async with asyncio.timeout(30):
        while True:
            try:
                part = await loop.sock_recv(connection, 2**20)
            except ConnectionResetError:
                break
            if not part:
                break
            parts.append(part)
    return b"".join(parts)


async def only_job(account: Account) -> dict[str, Any]:
    """The job of the one request, once it has ended."""
    [job] = (await account.get("/v1/jobs")).json["data"]
    return await account.finished(job["id"])


async def test_a_client_that_stops_reading_counts_as_gone_after_a_while(
    hasty: RunningEngine,
) -> None:
    account, hasty.upstream.default = await hasty.account(), Fast()
    with asked(account) as connection:
        while not hasty.upstream.requests:
            await asyncio.sleep(0.01)
        job = await only_job(account)
        assert job["status"] == "cancelled"
        assert hasty.upstream.requests[0].disconnected
        assert b"[DONE]" not in await rest(connection)
    [charge] = await account.charges(job["id"])
    assert charge["usage_source"] == "estimate"
    assert (await account.balance())["held_usd"] == "0.00"


async def test_its_answer_is_finished_where_its_key_says_so(hasty: RunningEngine) -> None:
    account, hasty.upstream.default = await hasty.account(), Fast()
    made = await account.post("/v1/keys", {"name": "finish", "on_disconnect": "finish"})
    with asked(account.with_key(made.json["api_key"])) as connection:
        while not hasty.upstream.requests:
            await asyncio.sleep(0.01)
        job = await only_job(account)
        assert (job["status"], job["usage"]["source"]) == ("succeeded", "provider")
        assert b"[DONE]" not in await rest(connection)
    assert len(await account.charges(job["id"])) == 1


async def test_who_leaves_a_whole_answer_unread_is_given_up_too(hasty: RunningEngine) -> None:
    account, hasty.upstream.default = await hasty.account(), answer(WORD * 4000)
    with asked(account, stream=False) as connection:
        while not hasty.upstream.requests:
            await asyncio.sleep(0.01)
        assert (await only_job(account))["status"] == "succeeded"
        await asyncio.sleep(1.5)
        assert len(await rest(connection)) < CHUNK_BYTES * 4000


async def test_a_slow_client_holds_its_provider_back_and_gets_all_of_the_answer(
    patient: RunningEngine,
) -> None:
    account, fast = await patient.account(), Fast()
    patient.upstream.default = fast
    with asked(account) as connection:
        assert await fast.stalled() < CHUNKS
        await asyncio.sleep(1)  # longer than a provider may be silent
        content = await rest(connection)
    assert content.count(WORD.encode()) == CHUNKS
    assert content.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    job = await only_job(account)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)
    [charge] = await account.charges(job["id"])
    assert charge["usage_source"] == "provider"
