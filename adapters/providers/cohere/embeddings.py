"""OpenAI's embeddings as Cohere's `/v2/embed`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.providers.cohere.replies import usage_of
from adapters.providers.replies import malformed, parsed_object
from adapters.providers.vectors import texts_of, vectors_body, wants_base64
from domain.dialects.canonical import Untranslatable, Written
from domain.ports.provider import ProviderCall, ProviderReply

_CARRIED: Final = frozenset(
    {"input", "model", "dimensions", "encoding_format", "input_type", "truncate"}
)
_MAX_TEXTS: Final = 96


class _Meta(msgspec.Struct):
    meta: msgspec.Raw = msgspec.Raw(b"null")


_META = msgspec.json.Decoder(_Meta)


def write_embeddings(call: ProviderCall) -> Written:
    """The body. Raises `Untranslatable`."""
    texts = texts_of(call.body)
    if len(texts) > _MAX_TEXTS:
        raise Untranslatable(f"the provider embeds {_MAX_TEXTS} texts a request", "input")
    return Written(
        body={"model": call.native_id, **embed_body(texts, call.body)},
        dropped=tuple(name for name, value in call.body.items() if value and name not in _CARRIED),
    )


def embed_body(texts: list[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What every host of Cohere's embeddings is asked."""
    body: dict[str, Any] = {
        "texts": texts,
        "input_type": asked.get("input_type") or "search_document",
        # A text that is too long is refused, as OpenAI does, not cut in silence.
        "truncate": asked.get("truncate") or "NONE",
        "embedding_types": ["float"],
    }
    if dimensions := asked.get("dimensions"):
        body["output_dimension"] = dimensions
    return body


def read_embeddings(call: ProviderCall, content: bytes) -> ProviderReply:
    """The reply to `call`. Raises `ProviderFailure` when it is none."""
    reply = parsed_object(content)
    try:
        body = vectors_body(reply["embeddings"]["float"], base64=wants_base64(call.body))
    except (KeyError, TypeError) as error:
        raise malformed() from error
    usage = usage_of(reply.get("meta"))
    raw = bytes(_META.decode(content).meta).decode() if usage else None
    return ProviderReply(body, usage, raw, None)
