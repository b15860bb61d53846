"""Embeddings on Bedrock: each vendor's own body, by `/invoke`."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.providers.bedrock.models import bare_name
from adapters.providers.cohere.embeddings import embed_body
from adapters.providers.replies import malformed, parsed_object
from adapters.providers.reported import token_count
from adapters.providers.vectors import texts_of, vectors_body, wants_base64
from domain.dialects.canonical import Untranslatable, Written
from domain.inference.events import Usage
from domain.ports.provider import ProviderCall, ProviderReply

_CARRIED: Final = frozenset(
    {"input", "model", "dimensions", "encoding_format", "input_type", "truncate"}
)
# Version 1 of Titan's embeddings takes the text alone.
_TITAN_1: Final = "amazon.titan-embed-text-v1"
_MAX_TEXTS: Final = 96


def write_embeddings(call: ProviderCall) -> Written:
    """The body for the vendor of the model. Raises `Untranslatable`."""
    name, texts = bare_name(call.native_id), texts_of(call.body)
    dropped = [field for field, value in call.body.items() if value and field not in _CARRIED]
    if name.startswith("cohere."):
        return Written(body=_for_cohere(name, texts, call.body), dropped=tuple(dropped))
    if name.startswith("amazon.titan-embed"):
        return Written(body=_for_titan(name, texts, call.body), dropped=tuple(dropped))
    raise Untranslatable("the wire does not know the embeddings of this model", "model")


def read_embeddings(call: ProviderCall, content: bytes) -> ProviderReply:
    """The reply to `call`. Raises `ProviderFailure` when it is none."""
    reply = parsed_object(content)
    try:
        body = vectors_body(_vectors(reply), base64=wants_base64(call.body))
    except (KeyError, TypeError) as error:
        raise malformed() from error
    tokens = token_count(reply, "inputTextTokenCount")
    usage = None if tokens is None else Usage(input_tokens=tokens, output_tokens=0)
    raw = None if tokens is None else f'{{"inputTextTokenCount":{tokens}}}'
    return ProviderReply(body, usage, raw, None)


def _vectors(reply: Mapping[str, Any]) -> list[list[float]]:
    if "embedding" in reply:
        return [list(reply["embedding"])]
    given = reply["embeddings"]
    vectors: list[list[float]] = given["float"] if isinstance(given, dict) else given
    return vectors


def _for_titan(name: str, texts: list[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    if len(texts) != 1:
        raise Untranslatable("the model embeds one text a request", "input")
    body: dict[str, Any] = {"inputText": texts[0]}
    if dimensions := asked.get("dimensions"):
        if name.startswith(_TITAN_1):
            raise Untranslatable("the model's vectors have one size", "dimensions")
        body["dimensions"] = dimensions
    return body


def _for_cohere(name: str, texts: list[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    if len(texts) > _MAX_TEXTS:
        raise Untranslatable(f"the model embeds {_MAX_TEXTS} texts a request at most", "input")
    if asked.get("dimensions") and "embed-v4" not in name:
        raise Untranslatable("the model's vectors have one size", "dimensions")
    return embed_body(texts, asked)
