"""The wire protocol `vertex`: Google Vertex AI, which hosts the models of many publishers.

Google's own speak `generateContent`, Anthropic's messages, Mistral's and the open ones OpenAI's
chat.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import quote

import msgspec

from adapters.providers.anthropic import asked_of as messages_of
from adapters.providers.anthropic import betas_for
from adapters.providers.anthropic_replies import messages_reading
from adapters.providers.gemini.refusals import google_refusal
from adapters.providers.gemini.wire import asked_of, reading_of
from adapters.providers.google_tokens import GoogleTokens
from adapters.providers.http import HttpRequest
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.replies import Reading
from domain.dialects.canonical import Untranslatable
from domain.dialects.messages.betas import HEADER
from domain.ports.provider import ProviderCall, ProviderFailure

_GLOBAL = "global"
# Locations that are many, with a host of their own.
_MULTIPLE = ("us", "eu")
_LOCATION = re.compile(r"[a-z]+(-[a-z0-9]+)*")
_GOOGLE = "google"
_ANTHROPIC = "anthropic"
# Stands in the body, where Anthropic itself has a header.
_ANTHROPIC_VERSION = "vertex-2023-10-16"
# Of Anthropic's betas those that are taken here, where any other is an error.
_BETAS = frozenset(
    {
        "claude-code-20250219",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-management-2025-06-27",
        "interleaved-thinking-2025-05-14",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "tool-search-tool-2025-10-19",
    }
)
_MISTRAL = "mistralai"
_HEADERS = {"content-type": "application/json"}


class VertexWire:
    """See `adapters.providers.http.Wire`.

    Every call goes to `location`. With `allowed_locations` it must be one of them, so that no
    mistake of configuration takes a request elsewhere; "global" is wherever Google pleases, and
    is allowed only where it is named. `base_url` is another host in front of the same API.
    """

    def __init__(
        self,
        project: str | None,
        location: str,
        credentials: GoogleTokens | str | None = None,
        *,
        allowed_locations: Collection[str] | None = None,
        base_url: str | None = None,
    ) -> None:
        """Raises `ValueError` for a location that is none or not allowed, without a project, and
        for what `GoogleTokens` does not take.
        """
        if not _LOCATION.fullmatch(location):
            raise ValueError(f"{location!r} is no location of Google Cloud")
        if allowed_locations is not None and location not in allowed_locations:
            raise ValueError(f"the location {location!r} is not among those that are allowed")
        self._tokens = (
            credentials if isinstance(credentials, GoogleTokens) else GoogleTokens(credentials)
        )
        project = project or self._tokens.project
        if not project:
            raise ValueError("Vertex AI needs a project of Google Cloud")
        host = (base_url or host_of(location)).rstrip("/")
        place = f"projects/{quote(project)}/locations/{location}"
        self._publishers = f"{host}/v1/{place}/publishers"
        self._openai = OpenAIChatWire(f"{host}/v1beta1/{place}/endpoints/openapi", None)

    async def request(self, call: ProviderCall) -> HttpRequest:
        request = await self._written(call)
        token = await self._tokens.token()
        return replace(request, headers={**request.headers, "authorization": f"Bearer {token}"})

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        publisher, _ = publisher_of(call.native_id)
        if publisher == _GOOGLE:
            return reading_of(call, content_type)
        if publisher == _ANTHROPIC:
            return messages_reading(call, streamed=content_type == "text/event-stream")
        return self._openai.reading(call, content_type)

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return google_refusal(status, headers, content)

    async def _written(self, call: ProviderCall) -> HttpRequest:
        publisher, model = publisher_of(call.native_id)
        url = self._model(publisher, model)
        if publisher == _GOOGLE:
            return asked_of(call, model, vertex=True).sent(url, _HEADERS)
        if call.endpoint == "/v1/embeddings":
            raise Untranslatable("only Google's own models embed on Vertex AI")
        if publisher not in (_ANTHROPIC, _MISTRAL):
            return await self._openai.request(call)
        url = f"{url}:{'streamRawPredict' if call.stream else 'rawPredict'}"
        call = replace(call, native_id=model)
        if publisher == _MISTRAL:
            return replace(await self._openai.request(call), url=url)
        body, dropped = messages_of(call)
        content = msgspec.json.encode({"anthropic_version": _ANTHROPIC_VERSION, **body})
        betas, unsaid = betas_for(call, _BETAS)
        headers = {**_HEADERS, HEADER: betas} if betas else _HEADERS
        return HttpRequest(url, content, headers, (*dropped, *unsaid))

    def _model(self, publisher: str, model: str) -> str:
        return f"{self._publishers}/{quote(publisher)}/models/{quote(model, safe='@')}"


def host_of(location: str) -> str:
    """The base URL of the API for a location."""
    if location == _GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in _MULTIPLE:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def publisher_of(native_id: str) -> tuple[str, str]:
    """Publisher and model; Google's and Anthropic's models may leave the publisher out."""
    publisher, _, model = native_id.removeprefix("publishers/").rpartition("/")
    publisher = publisher.removesuffix("/models")
    if publisher:
        return publisher, model
    return (_ANTHROPIC if model.startswith("claude-") else _GOOGLE), model
