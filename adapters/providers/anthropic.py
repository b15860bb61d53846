"""The wire protocol `anthropic-messages`: Anthropic, and hosts that speak as it does."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from adapters.providers.anthropic_replies import messages_reading
from adapters.providers.caller_names import caller_name
from adapters.providers.credential import Credential
from adapters.providers.failures import failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading
from domain.dialects.canonical import Untranslatable
from domain.dialects.messages.betas import FIELD, HEADER, KNOWN, label, parted
from domain.dialects.messages.models import rules_of
from domain.dialects.messages.signatures import without_foreign_thinking
from domain.dialects.messages.writing import write_request
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderCall, ProviderFailure

VERSION = "2023-06-01"
_PATH = "/v1/messages"
# Stand elsewhere than in a passed body, or are put there anew.
_ELSEWHERE = frozenset({"stream", "model", FIELD})
_encode = msgspec.json.Encoder().encode


class AnthropicWire:
    """See `adapters.providers.http.Wire`.

    `base_url` may end with the version or leave it out. A credential that is text goes as
    `x-api-key`.
    """

    def __init__(self, base_url: str, credential: Credential | str | None = None) -> None:
        if not isinstance(credential, Credential):
            credential = Credential(credential, header="x-api-key", scheme="{key}")
        base = base_url.rstrip("/").removesuffix("/v1")
        self._url = credential.url(base + _PATH)
        self._headers = {
            "content-type": "application/json",
            "anthropic-version": VERSION,
            **credential.headers(),
        }

    async def request(self, call: ProviderCall) -> HttpRequest:
        body, dropped = asked_of(call)
        body["model"] = call.native_id
        betas, unsaid = betas_for(call, KNOWN, all_of_them=call.own_key is not None)
        headers = self._headers
        if betas:
            # What the operator asks for of every request stays asked for.
            headers = {**headers, HEADER: ",".join(filter(None, (headers.get(HEADER), betas)))}
        return HttpRequest(self._url, _encode(body), headers, (*dropped, *unsaid))

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        return messages_reading(call, streamed=content_type == "text/event-stream")

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)


def betas_for(
    call: ProviderCall, known: Collection[str], *, all_of_them: bool = False
) -> tuple[str, tuple[str, ...]]:
    """The value of the header for the betas that a host takes, "" for none, and what the others
    are called that the caller asked for.
    """
    if call.endpoint != _PATH or FIELD not in call.body:
        return "", ()
    taken, others = parted(call.body, known, all_of_them=all_of_them)
    return ",".join(taken), tuple(map(label, others))


def asked_of(call: ProviderCall) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body in this wire, without its model, and what the caller asked for and is not in it.

    Raises `Untranslatable`, with the caller's names.
    """
    asked = _passed(call) if call.endpoint == _PATH else _translated(call)
    if call.stream:
        asked[0]["stream"] = True
    return asked


def _passed(call: ProviderCall) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A caller of this wire: only the limit and what others thought are looked at."""
    body = {name: value for name, value in call.body.items() if name not in _ELSEWHERE}
    limit = call.max_output_tokens or rules_of(call.native_id).max_output
    given = body.setdefault("max_tokens", limit)
    if isinstance(body.get("messages"), list):
        body["messages"] = without_foreign_thinking(body["messages"])
    if call.max_output_tokens is None or not isinstance(given, int) or given <= limit:
        return body, ()
    body["max_tokens"] = limit
    return body, ("max_tokens",)


def _translated(call: ProviderCall) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = SURFACES[call.endpoint].read(call.body)
    try:
        written = write_request(request, rules_of(call.native_id), call.max_output_tokens)
    except Untranslatable as error:
        param = error.param and caller_name(call, error.param)
        raise Untranslatable(error.message, param) from error
    return written.body, tuple(caller_name(call, field) for field in written.dropped)
