"""The POST of a webhook on aiohttp: no redirects, no proxies, public addresses only."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from adapters.webhooks.addresses import AddressRefused, public_socket
from domain.ports.webhook_sender import SendResult

# Of the receiver's answer this much is read, so that the connection can be used again.
MAX_ANSWER_BYTES = 64 * 1024
MAX_HEADER_BYTES = 16 * 1024


class AiohttpSender:
    """Implements `domain.ports.webhook_sender.WebhookSender`; use it as a context manager."""

    def __init__(
        self,
        resolver: AbstractResolver,
        *,
        user_agent: str,
        timeout: float = 20,
        allow_private: bool = False,
    ) -> None:
        self._resolver = resolver
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,  # the callers bound what they send, so that no account waits for another
            resolver=self._resolver,
            socket_factory=None if self._allow_private else public_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            headers={"user-agent": self._user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> SendResult:
        if self._session is None:
            raise RuntimeError("the sender is not open")
        started = time.monotonic()
        status, retry_after, error = None, None, None
        try:
            # A URL in ASCII goes out as it was registered, query and all.
            target = URL(url, encoded=url.isascii())
            async with self._session.post(
                target, data=body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                retry_after = _retry_after(response.headers.get("retry-after"))
                await _drain(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            error = _explained(failure)
        return SendResult(status, retry_after, error, round((time.monotonic() - started) * 1000))


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a bounded part of the answer; the status stands whatever happens here."""
    left = MAX_ANSWER_BYTES
    try:
        while left > 0 and (chunk := await response.content.read(left)):
            left -= len(chunk)
    except (aiohttp.ClientError, TimeoutError):
        response.close()


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header in either of its forms; None when it makes no sense."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):  # all that a hostile date can raise
        return None


def _explained(failure: Exception) -> str:
    """What went wrong, in words that hold nothing of the receiver's."""
    match failure:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "the TLS handshake failed"
        case aiohttp.ClientConnectorDNSError():
            return "the host name does not resolve"
        case aiohttp.ClientConnectorError(os_error=AddressRefused()):
            return "target refused: the address is not public"
        case aiohttp.ClientConnectorError():
            return "the connection failed"
        case aiohttp.InvalidURL() | ValueError():
            return "the URL is not valid"
        case _:
            return "the connection broke before an answer"
