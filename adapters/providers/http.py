"""A provider behind HTTP: one exchange, whatever the wire protocol."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field, replace
from io import BytesIO
from typing import Protocol

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from adapters.providers.patience import Patience
from adapters.providers.posting import Post, Poster
from adapters.providers.replies import Reading
from adapters.providers.session import HttpSession
from domain.dialects.canonical import Untranslatable
from domain.dialects.surface import Delta
from domain.errors import InvalidRequest
from domain.ports.provider import OnDelta, ProviderCall, ProviderFailure, ProviderReply
from domain.value import value

Response = Post | aiohttp.ClientResponse
_MAX_ERROR_BYTES = 64 * 2**10
_MAX_IN_ONE_PIECE = 2**20
# After the last word of a stream its connection is worth this many seconds of waiting for its
# end, because only then it can be used again.
_LINGER_SECONDS = 0.1


@value()
class HttpRequest:
    """What goes to the provider. `dropped` names what the caller asked for and is not in it.

    With `url_as_is` the address goes out as it stands, because a signature is of it.
    """

    url: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    url_as_is: bool = False


class Wire(Protocol):
    """A wire protocol at one address, with one credential."""

    async def request(self, call: ProviderCall) -> HttpRequest:
        """The call in this wire.

        Raises `Untranslatable` for what it cannot carry, `InvalidRequest` for what makes no sense
        and `ProviderFailure` when there is no valid credential.
        """
        ...

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        """What takes in a reply of status 200 with this content type."""
        ...

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        """What a reply of another status stands for; its text goes no further."""
        ...


class HttpProvider:
    """See `domain.ports.provider.Provider`; many calls at once share the session."""

    def __init__(self, session: HttpSession, wire: Wire) -> None:
        self._session = session
        self._poster = Poster(session)
        self._wire = wire

    async def call(self, call: ProviderCall, on_delta: OnDelta | None = None) -> ProviderReply:
        exchange = _Exchange(self._wire, call, on_delta)
        try:
            with Patience(call.timeouts, self._session.watch) as patience:
                request = await self._wire.request(call)
                async with self._post(request, call) as response:
                    await exchange.take_in(response, patience)
        except asyncio.CancelledError:
            exchange.tell_counted()
            raise
        except Untranslatable as error:
            raise ProviderFailure("unsupported", error.message) from error
        except InvalidRequest as error:
            raise ProviderFailure("bad_request", error.message) from error
        # What follows a complete answer (its usage, the connection's end) cannot spoil it.
        except ProviderFailure:
            if not exchange.is_complete:
                raise
        except (aiohttp.ClientError, HttpProcessingError) as error:
            if not exchange.is_complete:
                raise _translated(error, answering=exchange.answering) from error
        reply = exchange.reply()
        return replace(reply, dropped=request.dropped) if request.dropped else reply

    def _post(
        self, request: HttpRequest, call: ProviderCall
    ) -> AbstractAsyncContextManager[Response]:
        url = URL(request.url, encoded=request.url_as_is)
        headers = {"user-agent": "Gatewayz", "x-request-id": call.request_id, **request.headers}
        connect_seconds = call.timeouts.connect
        if len(request.content) <= _MAX_IN_ONE_PIECE:
            return self._poster.post(url, headers, request.content, connect_seconds)
        # In pieces, so that others get a turn between them.
        return self._session.get().post(
            url,
            data=BytesIO(request.content),
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_seconds),
        )


class _Exchange:
    """One reply on its way in."""

    def __init__(self, wire: Wire, call: ProviderCall, on_delta: OnDelta | None) -> None:
        self._wire = wire
        self._call = call
        self._on_delta = on_delta
        self.answering = False
        self.reading: Reading | None = None

    @property
    def is_complete(self) -> bool:
        return self.reading is not None and self.reading.is_complete

    async def take_in(self, response: Response, patience: Patience) -> None:
        self.answering = True
        if response.status != 200:
            content = await _error_content(response)
            raise self._wire.refusal(response.status, response.headers, content)
        reading = self.reading = self._wire.reading(self._call, response.content_type)
        while part := await response.content.readany():
            room = self._tell(reading.feed(part))
            if room is not None:
                await patience.pause(room)
            if response.content.at_eof():
                break
            if reading.is_done:
                patience.linger(_LINGER_SECONDS)
            elif reading.has_begun:
                patience.heard()
        self._tell(reading.end())

    def reply(self) -> ProviderReply:
        if self.reading is None:
            raise ProviderFailure("malformed", "the provider's reply cannot be read")
        return self.reading.reply()

    def tell_counted(self) -> None:
        """Tells what the provider has counted, of a call that is not seen to its end."""
        counted = None if self.reading is None else self.reading.counted
        if counted is not None and self._call.on_cut is not None:
            self._call.on_cut(counted)

    def _tell(self, deltas: Sequence[Delta]) -> Awaitable[None] | None:
        room = None
        if self._on_delta is not None:
            for delta in deltas:
                room = self._on_delta(delta)
        return room


async def _error_content(response: Response) -> bytes:
    content = b""
    async for part in response.content.iter_any():
        content += part
        if len(content) > _MAX_ERROR_BYTES:
            break
    return content


def _translated(error: Exception, *, answering: bool) -> ProviderFailure:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ProviderFailure("timeout_connect", "the provider did not accept a connection")
        case aiohttp.ClientConnectionError() if not answering:
            return ProviderFailure("connect", "the provider could not be reached")
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return ProviderFailure("truncated", "the provider's answer broke off")
        case _:
            return ProviderFailure("malformed", "the provider's reply cannot be read")
