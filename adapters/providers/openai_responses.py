"""The wire protocol `openai-responses`: OpenAI's responses, and hosts that speak the same.

Callers of responses and of embeddings are passed through; those of other endpoints are answered
by way of responses. Nothing is kept at the provider: what is kept stands in our log.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.providers.caller_names import caller_name
from adapters.providers.credential import Credential
from adapters.providers.failures import failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading, WholeReading
from adapters.providers.responses_reading import ResponsePieces, StreamedResponse, WholeResponse
from adapters.providers.translated import TranslatedReading
from domain.dialects.canonical import Untranslatable
from domain.dialects.responses.signatures import sendable
from domain.dialects.responses.writing import write_request
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Endpoint
from domain.ports.provider import ProviderCall, ProviderFailure

_RESPONSES: Endpoint = "/v1/responses"
_EMBEDDINGS: Endpoint = "/v1/embeddings"
# What concerns our own keeping and running of a response.
_OURS = frozenset(
    {
        "background",
        "background_options",
        "metadata",
        "previous_response_id",
        "store",
        "stream",
        "stream_options",
    }
)


class OpenAIResponsesWire:
    """See `adapters.providers.http.Wire`; `base_url` includes the version."""

    def __init__(self, base_url: str, credential: Credential | str | None = None) -> None:
        if not isinstance(credential, Credential):
            credential = Credential(credential)
        root = base_url.rstrip("/")
        self._url = credential.url(f"{root}/responses")
        self._embeddings_url = credential.url(f"{root}/embeddings")
        self._headers = {"content-type": "application/json", **credential.headers()}
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        if call.endpoint == _EMBEDDINGS:
            content = self._encode({**call.body, "model": call.native_id})
            return HttpRequest(self._embeddings_url, content, self._headers)
        if call.endpoint == _RESPONSES:
            return self._sent(_passed_on(call.body), call, ())
        try:
            written = write_request(SURFACES[call.endpoint].read(call.body))
        except Untranslatable as error:
            param = error.param and caller_name(call, error.param)
            raise Untranslatable(error.message, param) from error
        dropped = tuple(caller_name(call, field) for field in written.dropped)
        return self._sent(written.body, call, dropped)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        streamed = content_type == "text/event-stream"
        if call.endpoint == _EMBEDDINGS:
            return WholeReading()
        if call.endpoint != _RESPONSES:
            return TranslatedReading(call, ResponsePieces(streamed=streamed))
        return StreamedResponse() if streamed else WholeResponse()

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)

    def _sent(
        self, body: dict[str, Any], call: ProviderCall, dropped: tuple[str, ...]
    ) -> HttpRequest:
        body |= {"model": call.native_id, "store": False}
        if call.stream:
            body["stream"] = True
        return HttpRequest(self._url, self._encode(body), self._headers, dropped)


def _passed_on(asked: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in asked.items() if name not in _OURS}
    if isinstance(given := body.get("input"), list):
        body["input"] = sendable(given)
    return body
