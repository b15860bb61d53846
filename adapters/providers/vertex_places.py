"""Vertex AI in one location, and `global` for the models that are served nowhere else."""

from collections.abc import Mapping

from adapters.providers.http import HttpRequest
from adapters.providers.replies import Reading
from adapters.providers.vertex import VertexWire, publisher_of
from domain.ports.provider import ProviderCall, ProviderFailure


class PlacedVertexWire:
    """See `adapters.providers.http.Wire`; what is global alone is a 404 in every region."""

    def __init__(self, regional: VertexWire, everywhere: VertexWire) -> None:
        self._regional = regional
        self._everywhere = everywhere

    async def request(self, call: ProviderCall) -> HttpRequest:
        wire = self._everywhere if is_global_alone(call.native_id) else self._regional
        return await wire.request(call)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        return self._regional.reading(call, content_type)

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return self._regional.refusal(status, headers, content)


def is_global_alone(native_id: str) -> bool:
    """Whether it is one of Google's previews, or of the third Gemini generation."""
    publisher, model = publisher_of(native_id)
    return publisher == "google" and (model.startswith("gemini-3") or "preview" in model)
