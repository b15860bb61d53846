"""One POST over a kept connection, without what a general client does for every request.

Connections, TLS, names and the reading of responses are aiohttp's. Left out is what the calls to a
provider never use, and what costs three times as much: redirects, cookies, proxies, middleware,
traces, forms, and a task for each body.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from adapters.providers.session import HttpSession

_UNNAMED: Final = "application/octet-stream"


class Poster:
    """Posts to the addresses of one provider, many at once."""

    def __init__(self, session: HttpSession) -> None:
        self._session = session
        # Where the last one went, which is where the next one goes but for a change of region.
        self._place: _Place | None = None

    def post(
        self, url: URL, headers: Mapping[str, str], content: bytes, connect_seconds: float
    ) -> "Post":
        """To be entered at once. `headers` go by their names in lower case.

        Raises `ValueError` for a header that holds a line break.
        """
        place = self._place
        if place is None or place.authority != (url.scheme, url.raw_authority):
            place = self._place = _Place(url)
        head = _head(url, {**place.headers, **headers, "content-length": str(len(content))})
        return Post(self._session, place, (head, content), connect_seconds)


class Post:
    """A request on its way, and the head of its response within the block.

    Leaving the block before the end of `content` closes the connection.
    """

    status: int
    headers: Mapping[str, str]
    content: aiohttp.StreamReader

    def __init__(
        self,
        session: HttpSession,
        place: "_Place",
        parts: tuple[bytes, bytes],
        connect_seconds: float,
    ) -> None:
        self._session, self._place, self._parts = session, place, parts
        self._timeout = _connecting_for(connect_seconds)
        self._connection: Connection

    @property
    def content_type(self) -> str:
        """What the content is, in lower case and without parameters."""
        return self.headers.get("content-type", _UNNAMED).partition(";")[0].strip().lower()

    async def __aenter__(self) -> Self:
        connector = self._session.connector()
        try:
            connection = await connector.connect(self._place.request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        try:
            await self._exchange(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        protocol = self._connection.protocol
        if protocol is not None and protocol.writing_paused:
            self._connection.close()  # answered before all of the request was sent
        else:
            self._connection.release()  # which closes it where more of the content may come

    async def _exchange(self, connection: Connection) -> None:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True)
        transport.writelines(self._parts)
        message, self.content = await protocol.read()
        while message.code < 200 and message.code != 101:
            message, self.content = await protocol.read()
        self.status, self.headers = message.code, message.headers


class _Place:
    """A scheme, a host and a port, as aiohttp wants them for a connection."""

    def __init__(self, url: URL) -> None:
        self.authority = url.scheme, url.raw_authority
        self.request = ClientRequest("POST", url, loop=asyncio.get_running_loop())
        own = self.request.headers
        self.headers = {name.lower(): value for name, value in own.items()}


def _head(url: URL, headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join((f"POST {url.raw_path_qs} HTTP/1.1", *lines, "", ""))
    ends = len(lines) + 2
    if text.count("\r") != ends or text.count("\n") != ends or "\0" in text:
        raise ValueError("a header or an address holds a line break")
    return text.encode()


@lru_cache(maxsize=16)
def _connecting_for(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds)
