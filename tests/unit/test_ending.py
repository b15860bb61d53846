"""A request that is cut off: answered, or broken off where its reply had begun."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.ending import AnsweredAtTheEnd

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def cut_off(first: Message | None) -> list[Message]:
    """What a client gets of a request that sends `first` and is cancelled then."""
    sent: list[Message] = []
    hangs = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if first is not None:
            await send(first)
        hangs.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    answering = asyncio.ensure_future(AnsweredAtTheEnd(app)(dict(SCOPE), receive, send))
    await hangs.wait()
    answering.cancel()
    try:
        await answering
    except asyncio.CancelledError:
        sent.append({"type": "broken off"})
    return sent


async def test_it_is_told_to_come_again() -> None:
    start, body = await cut_off(None)
    assert (start["type"], start["status"]) == ("http.response.start", 503)
    assert (b"retry-after", b"1") in start["headers"]
    assert b"service_unavailable" in body["body"]


@pytest.mark.parametrize("status", [200, 500])
async def test_a_reply_that_has_begun_is_broken_off(status: int) -> None:
    begun = {"type": "http.response.start", "status": status, "headers": []}
    assert await cut_off(begun) == [begun, {"type": "broken off"}]
