"""The wire protocol `openai-chat`: any provider with OpenAI's chat and embeddings routes."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from adapters.providers.failures import failure_of_status
from adapters.providers.patience import Patience
from adapters.providers.replies import Reading, StreamedReading, WholeReading
from adapters.providers.session import HttpSession
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure, ProviderReply

_PATHS: Mapping[Endpoint, str] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/embeddings": "embeddings",
}
_STREAM_FIELDS = frozenset({"stream", "stream_options"})
_MAX_ERROR_BYTES = 64 * 2**10
# After the last word of a stream its connection is worth this many seconds of waiting for its
# end, because only then it can be used again.
_LINGER_SECONDS = 0.1


class OpenAIChatProvider:
    """One base URL and key; many calls at once share the session.

    `base_url` includes the version (`https://api.openai.com/v1`). Without a key no
    `Authorization` is sent, as local servers want it.
    """

    def __init__(self, session: HttpSession, base_url: str, api_key: str | None) -> None:
        self._session = session
        self._urls = {
            endpoint: f"{base_url.rstrip('/')}/{path}" for endpoint, path in _PATHS.items()
        }
        self._headers = {"content-type": "application/json", "user-agent": "Gatewayz"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._encode = msgspec.json.Encoder().encode

    async def call(self, call: ProviderCall) -> ProviderReply:
        """See `domain.ports.provider.Provider`."""
        reading: Reading = WholeReading()
        answering = False
        try:
            async with Patience(call.timeouts) as patience, self._post(call) as response:
                answering = True
                if response.status != 200:
                    raise await _refusal(response)
                if response.content_type == "text/event-stream":
                    reading = StreamedReading(_choices(call.body))
                await _read(response, reading, patience)
        # What follows a complete answer (its usage, the connection's end) cannot spoil it.
        except ProviderFailure:
            if not reading.is_complete:
                raise
        except aiohttp.ClientError as error:
            if not reading.is_complete:
                raise _translated(error, answering=answering) from error
        return reading.reply()

    def _post(self, call: ProviderCall) -> Any:
        return self._session.get().post(
            self._urls[call.endpoint],
            data=self._encode(_body(call)),
            headers={**self._headers, "x-request-id": call.request_id},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=call.timeouts.connect),
        )


def _body(call: ProviderCall) -> dict[str, Any]:
    body = {name: value for name, value in call.body.items() if name not in _STREAM_FIELDS}
    body["model"] = call.native_id
    if call.stream and call.endpoint == "/v1/chat/completions":
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _choices(body: Mapping[str, Any]) -> int:
    asked = body.get("n")
    return asked if isinstance(asked, int) else 1


async def _read(response: aiohttp.ClientResponse, reading: Reading, patience: Patience) -> None:
    async for part in response.content.iter_any():
        reading.feed(part)
        if response.content.at_eof():
            return
        if reading.is_done:
            patience.linger(_LINGER_SECONDS)
        elif reading.has_begun:
            patience.heard()


async def _refusal(response: aiohttp.ClientResponse) -> ProviderFailure:
    content = b""
    async for part in response.content.iter_any():
        content += part
        if len(content) > _MAX_ERROR_BYTES:
            break
    return failure_of_status(response.status, response.headers, content)


def _translated(error: aiohttp.ClientError, *, answering: bool) -> ProviderFailure:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ProviderFailure("timeout_connect", "the provider did not accept a connection")
        case aiohttp.ClientConnectionError() if not answering:
            return ProviderFailure("connect", "the provider could not be reached")
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return ProviderFailure("truncated", "the provider's answer broke off")
        case _:
            return ProviderFailure("malformed", "the provider's reply cannot be read")
