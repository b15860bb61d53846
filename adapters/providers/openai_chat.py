"""The wire protocol `openai-chat`: any provider with OpenAI's chat and embeddings routes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.providers.chat_quirks import NO_QUIRKS, ChatQuirks
from adapters.providers.chat_shaping import shaped, shaped_embedding
from adapters.providers.credential import Credential
from adapters.providers.failures import failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading, StreamedReading, WholeReading
from domain.dialects.canonical import Untranslatable
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure

_PATHS: Mapping[Endpoint, str] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/embeddings": "embeddings",
}
_CHAT: Endpoint = "/v1/chat/completions"
_STREAM_FIELDS = frozenset({"stream", "stream_options"})
# Where an address holds the model's name, as Azure's deployments do.
_MODEL = "{model}"


class OpenAIChatWire:
    """See `adapters.providers.http.Wire`.

    `base_url` includes the version (`https://api.openai.com/v1`). A credential that is text goes
    as a bearer token; without one no `Authorization` is sent, as local servers want it.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential | str | None = None,
        quirks: ChatQuirks = NO_QUIRKS,
    ) -> None:
        if not isinstance(credential, Credential):
            credential = Credential(credential)
        self._urls = {
            endpoint: credential.url(f"{base_url.rstrip('/')}/{path}")
            for endpoint, path in _PATHS.items()
        }
        self._names_model = _MODEL in base_url
        self._headers = {"content-type": "application/json", **credential.headers()}
        self._quirks = quirks
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        body = self._body(call)
        dropped = () if self._quirks is NO_QUIRKS else self._shaped(body, call)
        return HttpRequest(self._url(call), self._encode(body), self._headers, dropped)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        if content_type == "text/event-stream":
            return StreamedReading(_choices(call.body))
        return WholeReading()

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)

    def _url(self, call: ProviderCall) -> str:
        url = self._urls[call.endpoint]
        return url.replace(_MODEL, quote(call.native_id, safe="")) if self._names_model else url

    def _body(self, call: ProviderCall) -> dict[str, Any]:
        body = {name: value for name, value in call.body.items() if name not in _STREAM_FIELDS}
        body["model"] = call.native_id
        if call.stream and call.endpoint == _CHAT:
            body["stream"] = True
            if self._quirks.stream_options:
                body["stream_options"] = {"include_usage": True}
        return body

    def _shaped(self, body: dict[str, Any], call: ProviderCall) -> tuple[str, ...]:
        if call.endpoint != _CHAT:
            return shaped_embedding(body, self._quirks)
        if not self._quirks.chat:
            raise Untranslatable("the provider has no chat models")
        return shaped(body, self._quirks, call.native_id, call.max_output_tokens)


def _choices(body: Mapping[str, Any]) -> int:
    asked = body.get("n")
    return asked if isinstance(asked, int) else 1
