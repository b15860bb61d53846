"""A request that is cut off: answered, or broken off where its reply had begun."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from adapters.system.clock import TimeOrderedIds
from api.ending import Application
from api.ports import ApiLimits

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

    application = Application(app, TimeOrderedIds(), ApiLimits())
    answering = asyncio.ensure_future(application(dict(SCOPE), receive, send))
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


async def test_a_request_whose_body_is_awaited_is_told_too() -> None:
    awaited = asyncio.Event()
    sent: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    async def receive() -> Message:
        awaited.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**SCOPE, "headers": [(b"content-length", b"9")]}
    application = Application(app, TimeOrderedIds(), ApiLimits())
    answering = asyncio.ensure_future(application(scope, receive, send))
    await awaited.wait()
    answering.cancel()
    await answering
    assert [message.get("status") for message in sent] == [503, None]
