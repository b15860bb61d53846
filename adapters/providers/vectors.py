"""OpenAI's embeddings for wires that have others: the texts that go in, the body that comes out."""

from array import array
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from sys import byteorder
from typing import Any

from adapters.providers.replies import WholeReading
from domain.dialects.canonical import Untranslatable
from domain.ports.provider import ProviderReply


class VectorsReading(WholeReading):
    """A whole reply that `read` makes of the bytes."""

    def __init__(self, read: Callable[[bytes], ProviderReply]) -> None:
        super().__init__()
        self._read = read

    def reply(self) -> ProviderReply:
        return self._read(b"".join(self._parts))


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """The texts of an embeddings request. Raises `Untranslatable` for token ids."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Untranslatable("the provider embeds texts, not token ids", "input")
    return texts


def wants_base64(body: Mapping[str, Any]) -> bool:
    """Whether the vectors are to come as base64 of 32-bit floats."""
    return body.get("encoding_format") == "base64"


def vectors_body(vectors: Sequence[Sequence[float] | str], *, base64: bool) -> dict[str, Any]:
    """The OpenAI body; a vector that is text is base64 already."""
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, base64=base64)}
            for index, vector in enumerate(vectors)
        ],
    }


def _encoded(vector: Sequence[float] | str, *, base64: bool) -> Sequence[float] | str:
    if isinstance(vector, str) or not base64:
        return vector
    numbers = array("f", vector)
    if byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()
