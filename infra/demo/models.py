"""Which models the demo calls: real ones where the settings bring them, else the simulator's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.catalog.catalogue import Catalogue, ModelKind
from domain.inference.events import Endpoint
from infra.offers import build_catalogue
from infra.settings import Settings, load_settings

SIMULATOR = "simulator/"
SIMULATED: Mapping[ModelKind, str] = {"chat": "simulator/chat", "embedding": "simulator/embed"}
# With OPENAI_API_KEY and no models of one's own. USD per million tokens, OpenAI's list prices
# (developers.openai.com/api/docs/pricing, 2026).
OPENAI_MODELS = {
    "openai/gpt-4o-mini": {
        "context_length": 128_000,
        "max_output_tokens": 16_384,
        "offers": [
            {"provider": "openai", "native_id": "gpt-4o-mini", "input": "0.15", "output": "0.60"}
        ],
    },
    "openai/text-embedding-3-small": {
        "kind": "embedding",
        "context_length": 8_191,
        "offers": [{"provider": "openai", "native_id": "text-embedding-3-small", "input": "0.02"}],
    },
}


class NoSuchModel(Exception):
    """The model that was asked for is not on sale."""


@dataclass(frozen=True, slots=True)
class DemoModels:
    """The model of each endpoint, and what the engine's environment needs to sell them."""

    chat: str
    embedding: str
    environment: Mapping[str, str]

    @property
    def is_simulated(self) -> bool:
        """Whether the chat model is the simulator's."""
        return self.chat.startswith(SIMULATOR)

    def serving(self, endpoint: Endpoint) -> str:
        """The model for an endpoint."""
        return self.embedding if endpoint == "/v1/embeddings" else self.chat


def choose_models(config: Path | None, wanted: str | None) -> DemoModels:
    """Takes `wanted`, else a model of a real provider, else the simulator's.

    Raises `NoSuchModel`, and what `load_settings` raises.
    """
    settings = load_settings(config)
    environment: dict[str, str] = {}
    if _real(build_catalogue(settings), settings, "chat") is None and _sells_openai(settings):
        environment["GATEWAYZ_MODELS"] = json.dumps(OPENAI_MODELS)
        settings = load_settings(config, models=OPENAI_MODELS)
    catalogue = build_catalogue(settings)
    if wanted is not None and wanted not in _listed(catalogue, "chat"):
        raise NoSuchModel(f"{wanted!r} is no chat model on sale here")
    chat = wanted or _real(catalogue, settings, "chat")
    if chat is None or chat.startswith(SIMULATOR):
        return DemoModels(chat or SIMULATED["chat"], SIMULATED["embedding"], environment)
    embedding = _real(catalogue, settings, "embedding") or SIMULATED["embedding"]
    return DemoModels(chat, embedding, environment)


def _sells_openai(settings: Settings) -> bool:
    return "openai" in settings.usable_providers


def _listed(catalogue: Catalogue, kind: ModelKind) -> list[str]:
    return [one.model.id for one in catalogue.listed() if one.model.kind == kind]


def _real(catalogue: Catalogue, settings: Settings, kind: ModelKind) -> str | None:
    """The first model on sale that a provider other than the simulator serves."""
    for resolved in catalogue.listed():
        offered_by = {settings.providers[offer.provider].protocol for offer in resolved.offers}
        if resolved.model.kind == kind and "simulator" not in offered_by:
            return resolved.model.id
    return None
