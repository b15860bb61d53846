"""The wire protocol `openai-chat`: any provider with OpenAI's chat and embeddings routes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.providers.failures import failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading, StreamedReading, WholeReading
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure

_PATHS: Mapping[Endpoint, str] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/embeddings": "embeddings",
}
_STREAM_FIELDS = frozenset({"stream", "stream_options"})


class OpenAIChatWire:
    """See `adapters.providers.http.Wire`.

    `base_url` includes the version (`https://api.openai.com/v1`). Without a key no
    `Authorization` is sent, as local servers want it.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._urls = {
            endpoint: f"{base_url.rstrip('/')}/{path}" for endpoint, path in _PATHS.items()
        }
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        return HttpRequest(self._urls[call.endpoint], self._encode(_body(call)), self._headers)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        if content_type == "text/event-stream":
            return StreamedReading(_choices(call.body))
        return WholeReading()

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)


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
