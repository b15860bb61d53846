"""Which models the demo calls: real ones on sale that cost little, else the simulator's."""

from dataclasses import dataclass
from pathlib import Path

from domain.catalog.catalogue import Resolved
from domain.catalog.events import ModelKind
from domain.inference.events import Endpoint
from infra.offers import build_catalogue
from infra.settings import Settings, load_settings

# So many names at most stand in an answer.
SHOWN = 20
SIMULATOR = "simulator/"
# Cheap, known to everybody and served for long: of thousands the cheapest is none to begin with.
USUAL = (
    "openai/gpt-4o-mini",
    "google/gemini-2.5-flash-lite",
    "deepseek/deepseek-v4-flash",
    "meta-llama/llama-3.3-70b-instruct",
    "mistralai/mistral-small-2603",
    "anthropic/claude-haiku-4.5",
    "openai/text-embedding-3-small",
    "google/gemini-embedding-001",
)


class NoSuchModel(Exception):
    """The model that was asked for is not on sale."""


@dataclass(frozen=True, slots=True)
class DemoModels:
    """The model of each endpoint."""

    chat: str
    embedding: str

    @property
    def is_simulated(self) -> bool:
        """Whether the chat model is the simulator's."""
        return self.chat.startswith(SIMULATOR)

    def serving(self, endpoint: Endpoint) -> str:
        """The model for an endpoint."""
        return self.embedding if endpoint == "/v1/embeddings" else self.chat


def choose_models(config: Path | None, wanted: str | None) -> DemoModels:
    """Takes `wanted`, else the cheapest model of the configuration that no simulator serves, else
    the first of the usual ones, else the simulator's.

    Raises `NoSuchModel`, `SettingsProblem` and `InvalidCatalogue`.
    """
    settings = load_settings(config)
    listed = build_catalogue(settings).listed()
    chats = {one.model.id for one in listed if one.model.kind == "chat"}
    if wanted is not None and wanted not in chats:
        raise NoSuchModel(
            f"{wanted!r} is no chat model on sale; there are {', '.join(sorted(chats)[:SHOWN])}"
        )
    chat = wanted or _cheapest(listed, settings, "chat") or f"{SIMULATOR}chat"
    embedding = None
    if not chat.startswith(SIMULATOR):
        embedding = _cheapest(listed, settings, "embedding")
    return DemoModels(chat, embedding or f"{SIMULATOR}embed")


def _cheapest(listed: tuple[Resolved, ...], settings: Settings, kind: ModelKind) -> str | None:
    """A cheap model on sale that no simulator serves."""
    real = [
        one
        for one in listed
        if one.model.kind == kind and "simulator" not in _protocols(one, settings)
    ]
    own = [one for one in real if one.model.id in settings.models]
    if own:
        return min(own, key=_price).model.id
    on_sale = {one.model.id for one in real}
    usual = next((name for name in USUAL if name in on_sale), None)
    return usual or (min(real, key=_price).model.id if real else None)


def _protocols(resolved: Resolved, settings: Settings) -> set[str]:
    return {settings.providers[offer.provider].protocol for offer in resolved.offers}


def _price(resolved: Resolved) -> int:
    return min(offer.input_picodollars + offer.output_picodollars for offer in resolved.offers)
