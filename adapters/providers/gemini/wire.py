"""The wire protocol `gemini`: Google AI Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.providers.caller_names import caller_name
from adapters.providers.credential import Credential
from adapters.providers.gemini.embeddings import (
    embed_content,
    left_out,
    predict,
    vectors_reply,
)
from adapters.providers.gemini.refusals import google_refusal
from adapters.providers.gemini.reply import GeminiReader
from adapters.providers.gemini.request import write_request
from adapters.providers.gemini.tools import callers_names
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading
from adapters.providers.target import Target
from adapters.providers.translated import TranslatedReading
from adapters.providers.vectors import VectorsReading, wants_base64
from domain.dialects.canonical import Untranslatable
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderCall, ProviderFailure

_VERSIONS = ("/v1", "/v1beta", "/v1alpha")
_DEFAULT_VERSION = "/v1beta"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as one method of a model, named with its query."""

    method: str
    body: dict[str, Any]
    dropped: tuple[str, ...]

    def sent(self, model_url: str, headers: Mapping[str, str]) -> HttpRequest:
        """The request to the model at `model_url`."""
        return HttpRequest(f"{model_url}:{self.method}", _encode(self.body), headers, self.dropped)


class GeminiWire:
    """See `adapters.providers.http.Wire`; `base_url` may leave the version out.

    A credential that is text goes as Google wants it.
    """

    def __init__(self, base_url: str, credential: Credential | str | None = None) -> None:
        if not isinstance(credential, Credential):
            credential = Credential(credential, "x-goog-api-key", "{key}")
        base = base_url.rstrip("/")
        self._models = f"{base if base.endswith(_VERSIONS) else base + _DEFAULT_VERSION}/models"
        self._credential = credential
        self._headers = {"content-type": "application/json", **credential.headers()}

    async def request(self, call: ProviderCall) -> HttpRequest:
        model = call.native_id.removeprefix("models/")
        request = asked_of(call, model).sent(f"{self._models}/{quote(model)}", self._headers)
        return replace(request, url=self._credential.url(request.url))

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        return reading_of(call, content_type)

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return google_refusal(status, headers, content)


def asked_of(call: ProviderCall, model: str, *, vertex: bool = False) -> Asked:
    """The call as a method of `model`. Raises `Untranslatable`, with the caller's names."""
    if call.endpoint == "/v1/embeddings":
        method, body = (predict if vertex else embed_content)(call.body, model)
        return Asked(method, body, left_out(call.body))
    request = SURFACES[call.endpoint].read(call.body)
    try:
        written = write_request(request, Target(model, call.max_output_tokens), vertex=vertex)
    except Untranslatable as error:
        param = error.param and caller_name(call, error.param)
        raise Untranslatable(error.message, param) from error
    dropped = tuple(caller_name(call, field) for field in written.dropped)
    # Several choices come in one piece: not every model streams them.
    streamed = call.stream and request.choices == 1
    method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    return Asked(method, written.body, dropped)


def reading_of(call: ProviderCall, content_type: str) -> Reading:
    """What takes in the reply to `asked_of`."""
    if call.endpoint == "/v1/embeddings":
        return VectorsReading(partial(vectors_reply, base64=wants_base64(call.body)))
    streamed = content_type == "text/event-stream"
    reader = GeminiReader(call.request_id, callers_names(call.body), streamed=streamed)
    return TranslatedReading(call, reader)
