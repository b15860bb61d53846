"""OpenAI's embeddings as Google gives them: `embedContent`, several at once, or `predict`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.providers.gemini.usage import parse_usage_metadata
from adapters.providers.replies import malformed, parsed_object
from adapters.providers.usage import MAX_TOKENS
from adapters.providers.vectors import texts_of, vectors_body
from domain.dialects.canonical import Untranslatable
from domain.inference.events import Usage
from domain.ports.provider import ProviderReply

_MAX_TEXTS = 100
_MAX_PREDICTED = 250
_CARRIED = frozenset({"model", "input", "dimensions", "encoding_format"})


def left_out(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What the caller asks for beyond what Google takes."""
    return tuple(name for name, value in body.items() if name not in _CARRIED and value is not None)


def embed_content(body: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    """AI Studio's method and its body. Raises `Untranslatable`."""
    texts = _texts(body, _MAX_TEXTS)
    requests = [_request(text, body.get("dimensions")) for text in texts]
    if len(requests) == 1:
        return "embedContent", requests[0]
    named = [{"model": f"models/{model}", **request} for request in requests]
    return "batchEmbedContents", {"requests": named}


def predict(body: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    """Vertex AI's method and its body. Raises `Untranslatable`."""
    texts = _texts(body, 1 if model.startswith("gemini-") else _MAX_PREDICTED)
    asked: dict[str, Any] = {"instances": [{"content": text} for text in texts]}
    if body.get("dimensions") is not None:
        asked["parameters"] = {"outputDimensionality": body["dimensions"]}
    return "predict", asked


def _request(text: str, dimensions: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
    if dimensions is not None:
        request["outputDimensionality"] = dimensions
    return request


def _texts(body: Mapping[str, Any], most: int) -> list[str]:
    texts = texts_of(body)
    if len(texts) > most:
        raise Untranslatable(f"the model embeds up to {most} texts at once", "input")
    return texts


def vectors_reply(content: bytes, *, base64: bool) -> ProviderReply:
    """The reply to any of the three methods as OpenAI's list of vectors."""
    body = parsed_object(content)
    try:
        told = vectors_body(_vectors(body), base64=base64)
        usage = parse_usage_metadata(body.get("usageMetadata")) or _predicted_usage(body)
    except (TypeError, KeyError, AttributeError) as error:
        raise malformed() from error
    raw = msgspec.json.encode(body["usageMetadata"]).decode() if "usageMetadata" in body else None
    return ProviderReply(told, usage, raw if usage else None, None)


def _vectors(body: dict[str, Any]) -> list[list[float]]:
    if "predictions" in body:
        return [one["embeddings"]["values"] for one in body["predictions"]]
    if "embeddings" in body:
        return [one["values"] for one in body["embeddings"]]
    return [body["embedding"]["values"]]


def _predicted_usage(body: dict[str, Any]) -> Usage | None:
    total = 0.0
    for one in body.get("predictions") or ():
        count = (one["embeddings"].get("statistics") or {}).get("token_count")
        if not isinstance(count, int | float):
            return None
        total += count
    return Usage(input_tokens=int(total), output_tokens=0) if 0 < total <= MAX_TOKENS else None
