"""The wire protocol `cohere`: Cohere's chat and embeddings in version 2."""

from collections.abc import Mapping
from functools import partial

import msgspec

from adapters.providers.caller_names import caller_name
from adapters.providers.cohere.embeddings import read_embeddings, write_embeddings
from adapters.providers.cohere.failures import failure_of_reply
from adapters.providers.cohere.replies import CohereReader, CohereStreamReader
from adapters.providers.cohere.requests import write_request
from adapters.providers.credential import Credential
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading
from adapters.providers.target import Target
from adapters.providers.translated import TranslatedReading
from adapters.providers.vectors import VectorsReading
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderCall, ProviderFailure


class CohereWire:
    """See `adapters.providers.http.Wire`; `base_url` is without a version."""

    def __init__(self, base_url: str, credential: Credential) -> None:
        self._base_url = base_url.rstrip("/")
        self._credential = credential
        self._headers = {"content-type": "application/json", **credential.headers()}
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        if call.endpoint == "/v1/embeddings":
            written, path = write_embeddings(call), "v2/embed"
        else:
            request = SURFACES[call.endpoint].read(call.body)
            target = Target(call.native_id, call.max_output_tokens)
            written, path = write_request(request, target), "v2/chat"
            written.body["stream"] = call.stream
        url = self._credential.url(f"{self._base_url}/{path}")
        dropped = tuple(caller_name(call, name) for name in written.dropped)
        return HttpRequest(url, self._encode(written.body), self._headers, dropped)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        if call.endpoint == "/v1/embeddings":
            return VectorsReading(partial(read_embeddings, call))
        streamed = content_type == "text/event-stream"
        return TranslatedReading(call, CohereStreamReader() if streamed else CohereReader())

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_reply(status, headers, content)
