"""OpenAI's embeddings as Google gives them: `embedContent`, several at once, or `predict`."""

import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.providers.gemini.usage import parse_usage_metadata
from adapters.providers.replies import WholeReading, malformed, parsed_object
from adapters.providers.usage import MAX_TOKENS
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
    texts = _texts(body.get("input"), _MAX_TEXTS)
    requests = [_request(text, body.get("dimensions")) for text in texts]
    if len(requests) == 1:
        return "embedContent", requests[0]
    named = [{"model": f"models/{model}", **request} for request in requests]
    return "batchEmbedContents", {"requests": named}


def predict(body: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    """Vertex AI's method and its body. Raises `Untranslatable`."""
    texts = _texts(body.get("input"), 1 if model.startswith("gemini-") else _MAX_PREDICTED)
    asked: dict[str, Any] = {"instances": [{"content": text} for text in texts]}
    if body.get("dimensions") is not None:
        asked["parameters"] = {"outputDimensionality": body["dimensions"]}
    return "predict", asked


def _request(text: str, dimensions: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
    if dimensions is not None:
        request["outputDimensionality"] = dimensions
    return request


def _texts(given: Any, most: int) -> Sequence[str]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Untranslatable("Google embeds texts, not tokens", "input")
    if len(texts) > most:
        raise Untranslatable(f"the model embeds up to {most} texts at once", "input")
    return texts


class EmbeddingsReading(WholeReading):
    """Reads the reply to any of the three methods as OpenAI's list of vectors."""

    def __init__(self, encoding: object) -> None:
        super().__init__()
        self._encoding = encoding

    def reply(self) -> ProviderReply:
        content = b"".join(self._parts)
        body = parsed_object(content)
        try:
            vectors = _vectors(body)
            usage = parse_usage_metadata(body.get("usageMetadata")) or _predicted_usage(body)
            vectors_told = [self._told(index, vector) for index, vector in enumerate(vectors)]
        except (TypeError, KeyError, AttributeError, struct.error) as error:
            raise malformed() from error
        told = {"object": "list", "data": vectors_told}
        return ProviderReply(told, usage, None, None)

    def _told(self, index: int, vector: list[float]) -> dict[str, Any]:
        embedding: Any = vector
        if self._encoding == "base64":
            embedding = b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        return {"object": "embedding", "index": index, "embedding": embedding}


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
