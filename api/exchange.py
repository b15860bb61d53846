"""A request on its way in and its reply on the way out: bounded in size and time, under one id."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api.ports import ApiLimits
from api.requests import REQUEST_ID
from domain.errors import TooLarge
from domain.inference.events import ENDPOINTS

# The routes whose body may be large: prompts.
LARGE_BODIES = frozenset(
    {"/v1/jobs", *ENDPOINTS, "/v1/messages/count_tokens", "/v1/responses/input_tokens"}
)


class Exchange:
    """Refuses a body that is too large or too slow, while it arrives.

    A reply that goes out before the body was read to its end closes the connection. What goes
    straight on is handed on as it is: each wrapper of it would be paid for by every request.
    """

    __slots__ = (
        "_id",
        "_is_late",
        "_left",
        "_limits",
        "_max_bytes",
        "_reader",
        "_receive",
        "_send",
        "has_begun",
        "is_unread",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: ApiLimits) -> None:
        is_large = scope["method"] == "POST" and scope["path"] in LARGE_BODIES
        self._id: str = scope[REQUEST_ID]
        self._receive = receive
        self._send = send
        self._limits = limits
        self._max_bytes = limits.max_body_bytes if is_large else limits.max_small_body_bytes
        self._left = self._max_bytes
        self._reader: asyncio.Task[object] | None = None
        self._is_late = False
        # Whether there is more of the body, and whether the reply has begun.
        self.is_unread = _has_body(scope)
        self.has_begun = False

    def receive(self) -> Awaitable[Message]:
        """The next message. Raises `TooLarge`, and `HTTPException` when the time is over."""
        return self._bounded() if self.is_unread else self._receive()

    def send(self, message: Message) -> Awaitable[None]:
        """Sends on; before the end of a reply that nothing more is read for, drains the body."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"].append((b"x-request-id", self._id.encode()))
            if self.is_unread:
                message["headers"].append((b"connection", b"close"))
        elif self.is_unread and not message.get("more_body", False):
            return self._send_last(message)
        return self._send(message)

    def give_up(self) -> None:
        """The time for the body is over."""
        self._is_late = True
        if self._reader is not None:
            self._reader.cancel()

    async def _bounded(self) -> Message:
        if self.has_begun:
            return await self._next()
        if self._is_late:
            raise HTTPException(408)
        reader = self._reader = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError as error:
            if self._was_given_up(reader):
                raise HTTPException(408) from error
            raise
        finally:
            self._reader = None
        self.is_unread = message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge(f"the body is larger than {self._max_bytes} bytes")
        return message

    def _was_given_up(self, reader: asyncio.Task[object] | None) -> bool:
        """Whether nobody else has cancelled the reader too."""
        return self._is_late and reader is not None and not reader.uncancel()

    async def _send_last(self, message: Message) -> None:
        await self._send({**message, "more_body": True})
        # A connection closed over unread bytes is reset, and the reply is lost with it.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger_seconds):
                while self.is_unread:
                    await self._next()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> Message:
        message = await self._receive()
        self.is_unread = message.get("more_body", False)
        return message


class Arriving:
    """The exchanges whose body may be on its way: one timer watches over the time of all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order in which they began, which is the one in which they are due.
        self._due: dict[Exchange, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, exchange: Exchange) -> None:
        """From now on the body has so many seconds."""
        loop = asyncio.get_running_loop()
        self._due[exchange] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def remove(self, exchange: Exchange) -> None:
        """The exchange is over."""
        self._due.pop(exchange, None)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._due:
            exchange, due = next(iter(self._due.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            del self._due[exchange]
            exchange.give_up()


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return bool(value != b"0")
        if name == b"transfer-encoding":
            return True
    return False
