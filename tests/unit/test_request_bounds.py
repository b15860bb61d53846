"""The bounds of a request's body, message by message."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from adapters.system.clock import TimeOrderedIds
from api.ending import Application
from api.ports import ApiLimits
from api.requests import body_of
from domain.errors import TooLarge

LIMITS = ApiLimits(
    max_body_bytes=20, max_small_body_bytes=10, body_seconds=0.02, linger_seconds=0.02
)
PATIENT = replace(LIMITS, body_seconds=600.0, linger_seconds=600.0)


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Exchange:
    """One request against an app that reads its body: what it read, raised and replied."""

    def __init__(self, *parts: Message, path: str = "/v1/keys", length: int = 9) -> None:
        self.parts = list(parts)
        self.path, self.length = path, length
        self.pause_seconds = 0.0
        self.read: bytes | None = None
        self.raised: Exception | None = None
        self.sent: list[Message] = []

    async def run(self, limits: ApiLimits) -> "Exchange":
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "headers": [(b"content-length", str(self.length).encode())],
        }
        await Application(self._app, TimeOrderedIds(), limits)(scope, self._receive, self._send)
        return self

    async def _receive(self) -> Message:
        if not self.parts:
            await asyncio.Event().wait()
        return self.parts.pop(0)

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.pause_seconds)
        try:
            self.read = await body_of(Request(scope, receive))
        except (TooLarge, HTTPException, ClientDisconnect) as error:
            self.raised = error
        await Response(b"ok")(scope, receive, send)

    @property
    def closes(self) -> bool:
        return (b"connection", b"close") in self.sent[0]["headers"]

    @property
    def reply(self) -> Iterable[tuple[bytes, bool]]:
        return [(m["body"], m.get("more_body", False)) for m in self.sent[1:]]


async def test_a_body_within_its_bounds_is_read_whole_and_the_connection_stays() -> None:
    exchange = await Exchange(part(b"12345"), part(b"67890", more=False)).run(PATIENT)
    assert exchange.read == b"1234567890"
    assert not exchange.closes


async def test_a_body_that_does_not_arrive_in_time_is_a_408_and_closes_the_connection() -> None:
    exchange = await Exchange(part(b"12345")).run(LIMITS)
    assert isinstance(exchange.raised, HTTPException)
    assert exchange.raised.status_code == 408
    assert exchange.closes


async def test_the_time_is_for_the_whole_body_and_goes_on_while_nothing_is_read() -> None:
    exchange = Exchange(part(b"1"), part(b"2", more=False))
    exchange.pause_seconds = 2 * LIMITS.body_seconds
    await exchange.run(LIMITS)
    assert isinstance(exchange.raised, HTTPException)
    assert exchange.raised.status_code == 408


async def test_a_body_beyond_its_size_is_refused_while_it_arrives() -> None:
    exchange = await Exchange(part(b"x" * 11), part(b"", more=False)).run(PATIENT)
    assert isinstance(exchange.raised, TooLarge)
    assert exchange.closes


async def test_a_submission_has_more_room() -> None:
    exchange = await Exchange(part(b"x" * 20, more=False), path="/v1/jobs").run(PATIENT)
    assert exchange.read == b"x" * 20


async def test_the_rest_of_a_refused_body_is_let_in_behind_the_reply() -> None:
    rest = part(b"x" * 99), part(b"x", more=False)
    exchange = await Exchange(part(b"x" * 11), *rest).run(PATIENT)
    assert exchange.parts == []
    assert exchange.reply == [(b"ok", True), (b"", False)]


async def test_the_end_of_a_refused_body_is_not_awaited_for_ever() -> None:
    exchange = await Exchange(part(b"x" * 11)).run(LIMITS)
    assert exchange.reply == [(b"ok", True), (b"", False)]


@pytest.mark.parametrize("limits", [LIMITS, PATIENT])
async def test_a_client_that_leaves_is_no_refusal(limits: ApiLimits) -> None:
    exchange = await Exchange(part(b"x"), {"type": "http.disconnect"}).run(limits)
    assert isinstance(exchange.raised, ClientDisconnect)
