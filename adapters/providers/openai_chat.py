"""The wire protocol `openai-chat`: any provider with OpenAI's chat and embeddings routes.

Callers of these two are passed through; those of other endpoints are answered by way of chat.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.providers.caller_names import caller_name
from adapters.providers.chat_pieces import ChatPieceReader
from adapters.providers.chat_quirks import NO_QUIRKS, ChatQuirks
from adapters.providers.chat_shaping import shaped, shaped_embedding
from adapters.providers.credential import Credential
from adapters.providers.failures import failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading, StreamedReading, WholeReading
from adapters.providers.translated import TranslatedReading
from domain.dialects.canonical import Untranslatable
from domain.dialects.chat.turns import MessageForm
from domain.dialects.chat.writing import write_request
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure

_PATHS: Mapping[Endpoint, str] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/embeddings": "embeddings",
}
_CHAT: Endpoint = "/v1/chat/completions"
_EMBEDDINGS: Endpoint = "/v1/embeddings"
_STREAM_FIELDS = frozenset({"stream", "stream_options"})
# What the parameters of this wire are canonically, where that is another name.
_FIELDS = {
    "n": "choices",
    "parallel_tool_calls": "parallel_tools",
    "reasoning_effort": "effort",
    "response_format": "output",
}
# Where an address holds the model's name, as Azure's deployments do.
_MODEL = "{model}"


class OpenAIChatWire:
    """See `adapters.providers.http.Wire`.

    `base_url` includes the version (`https://api.openai.com/v1`). A credential that is text goes
    as a bearer token; without one no `Authorization` is sent, as local servers want it. `form`
    is what the messages of translated requests may hold.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential | str | None = None,
        quirks: ChatQuirks = NO_QUIRKS,
        form: MessageForm | None = None,
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
        self._form = form or MessageForm()
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        if call.endpoint not in _PATHS:
            return self._translated(call)
        body = self._told(call, call.body)
        dropped = () if self._quirks is NO_QUIRKS else self._shaped(body, call)
        return HttpRequest(self._url(call), self._encode(body), self._headers, dropped)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        streamed = content_type == "text/event-stream"
        if call.endpoint not in _PATHS:
            return TranslatedReading(call, ChatPieceReader(call.request_id, streamed=streamed))
        if streamed:
            return StreamedReading(_choices(call.body))
        return WholeReading()

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)

    def _url(self, call: ProviderCall) -> str:
        url = self._urls.get(call.endpoint) or self._urls[_CHAT]
        return url.replace(_MODEL, quote(call.native_id, safe="")) if self._names_model else url

    def _translated(self, call: ProviderCall) -> HttpRequest:
        try:
            written = write_request(SURFACES[call.endpoint].read(call.body), self._form)
            body = self._told(call, written.body)
            shaped_out = self._shaped(body, call)
        except Untranslatable as error:
            param = error.param and caller_name(call, _FIELDS.get(error.param, error.param))
            raise Untranslatable(error.message, param) from error
        fields = [*written.dropped, *(_FIELDS.get(name, name) for name in shaped_out)]
        dropped = tuple(caller_name(call, field) for field in fields)
        return HttpRequest(self._url(call), self._encode(body), self._headers, dropped)

    def _told(self, call: ProviderCall, asked: Mapping[str, Any]) -> dict[str, Any]:
        body = {name: value for name, value in asked.items() if name not in _STREAM_FIELDS}
        body["model"] = call.native_id
        if call.stream and call.endpoint != _EMBEDDINGS:
            body["stream"] = True
            if self._quirks.stream_options:
                body["stream_options"] = {"include_usage": True}
        return body

    def _shaped(self, body: dict[str, Any], call: ProviderCall) -> tuple[str, ...]:
        if call.endpoint == _EMBEDDINGS:
            return shaped_embedding(body, self._quirks)
        if not self._quirks.chat:
            raise Untranslatable("the provider has no chat models")
        return shaped(body, self._quirks, call.native_id, call.max_output_tokens)


def _choices(body: Mapping[str, Any]) -> int:
    asked = body.get("n")
    return asked if isinstance(asked, int) else 1
