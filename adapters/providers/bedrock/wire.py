"""The wire protocol `bedrock-converse`: Amazon Bedrock in one region."""

from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec

from adapters.providers.bedrock.credentials import Credentials, Signer, require_botocore
from adapters.providers.bedrock.embeddings import read_embeddings, write_embeddings
from adapters.providers.bedrock.failures import failure_of_reply
from adapters.providers.bedrock.replies import ConverseReader, ConverseStreamReader
from adapters.providers.bedrock.requests import write_request
from adapters.providers.caller_names import caller_name
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading
from adapters.providers.target import Target
from adapters.providers.translated import TranslatedReading
from adapters.providers.vectors import VectorsReading
from domain.dialects.canonical import Written
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderCall, ProviderFailure

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
_JSON: Final = "application/json"


class BedrockWire:
    """See `adapters.providers.http.Wire`.

    Profiles (`us.…`, `global.…`) and ARNs come in the native id. Raises `BotocoreMissing`.
    """

    def __init__(
        self, region: str, credentials: Credentials, *, base_url: str | None = None
    ) -> None:
        require_botocore()
        base = base_url or f"https://bedrock-runtime.{region}.amazonaws.com"
        self._base_url = base.rstrip("/")
        self._signer = Signer(credentials, region)
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        written = _written(call)
        # The colons of an id must go out encoded: the signature is of the address as it stands.
        url = f"{self._base_url}/model/{quote(call.native_id, safe='')}/{_action(call)}"
        content = self._encode(written.body)
        accepted = EVENT_STREAM if _is_streamed(call) else _JSON
        headers = {"content-type": _JSON, "accept": accepted}
        headers = await self._signer.signed(url, headers, content)
        dropped = tuple(caller_name(call, name) for name in written.dropped)
        return HttpRequest(url, content, headers, dropped, url_as_is=True)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        if call.endpoint == "/v1/embeddings":
            return VectorsReading(partial(read_embeddings, call))
        streamed = content_type == EVENT_STREAM
        return TranslatedReading(call, ConverseStreamReader() if streamed else ConverseReader())

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_reply(status, headers, content)


def _written(call: ProviderCall) -> Written:
    if call.endpoint == "/v1/embeddings":
        return write_embeddings(call)
    request = SURFACES[call.endpoint].read(call.body)
    return write_request(request, Target(call.native_id, call.max_output_tokens))


def _is_streamed(call: ProviderCall) -> bool:
    return call.stream and call.endpoint != "/v1/embeddings"


def _action(call: ProviderCall) -> str:
    if call.endpoint == "/v1/embeddings":
        return "invoke"
    return "converse-stream" if call.stream else "converse"
