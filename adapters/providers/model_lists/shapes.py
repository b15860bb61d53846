"""One entry of a list, for each shape that a list may have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from adapters.providers.model_lists.facts import abilities, inputs_of, kind_of, outputs_of
from adapters.providers.model_lists.fields import (
    at,
    count,
    model_id,
    number,
    picodollars,
    text,
    texts,
)
from domain.catalog.events import ListedPrices, ModelKind
from domain.catalog.listing import ListedOffer

Shape = Literal[
    "openai",
    "anthropic",
    "gemini",
    "cohere",
    "bedrock",
    "ollama",
    "huggingface",
    "near",
    "cloudflare",
]
_CONTEXT = (
    *("context_length", "context_window", "max_context_length", "max_model_len", "context_size"),
    *("metadata.context_length", "max_input_tokens", "limits.max_input_tokens"),
    "top_provider.context_length",
)
_OUTPUT = (
    *("max_output_tokens", "max_completion_tokens", "top_provider.max_completion_tokens"),
    *("max_output_length", "metadata.max_tokens", "limits.max_output_tokens", "max_tokens"),
)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class PricePlaces:
    """Where an entry holds its prices, by the names of `ListedPrices`; `scale` is one's USD."""

    paths: Mapping[str, str] = field(default_factory=dict)
    scale: Decimal = _ONE


NO_PRICES = PricePlaces()


def openai_entry(entry: Any, places: PricePlaces) -> ListedOffer | None:
    """An entry as OpenAI lists them, with what others add to it."""
    native_id = model_id(entry, "id", "name")
    if native_id is None:
        return None
    values = {
        name: picodollars(at(entry, path), places.scale) for name, path in places.paths.items()
    }
    return ListedOffer(
        native_id=native_id,
        kind=kind_of(entry, native_id),
        prices=listed_prices(values),
        free=_is_free(entry, native_id),
        context_length=count(entry, *_CONTEXT),
        max_output_tokens=count(entry, *_OUTPUT),
        capabilities=abilities(entry),
        inputs=inputs_of(entry),
        outputs=outputs_of(entry),
    )


def listed_prices(values: Mapping[str, int | None]) -> ListedPrices | None:
    """The prices; None when that of the input is missing or any is negative: it depends.

    Zero for what is told apart from input and output says that it costs nothing apart.
    """
    told = {name: value for name, value in values.items() if value is not None}
    if "input_picodollars" not in told or min(told.values()) < 0:
        return None
    whole = ("input_picodollars", "output_picodollars")
    return ListedPrices(**{name: value for name, value in told.items() if value or name in whole})


def _is_free(entry: Any, native_id: str) -> bool:
    if at(entry, "is_free") is True or at(entry, "free") is True:
        return True
    return native_id.lower().endswith((":free", "-free")) or "free" in texts(at(entry, "tags"))


def _anthropic(entry: Any, _: PricePlaces) -> ListedOffer | None:
    native_id = model_id(entry, "id")
    if native_id is None:
        return None
    return ListedOffer(
        native_id=native_id,
        kind="chat",
        context_length=count(entry, "max_input_tokens"),
        max_output_tokens=count(entry, "max_tokens"),
        capabilities=abilities(entry),
    )


def _gemini(entry: Any, _: PricePlaces) -> ListedOffer | None:
    name = model_id(entry, "name")
    if name is None:
        return None
    methods = texts(at(entry, "supportedGenerationMethods"))
    native_id = name.removeprefix("models/")
    kind: ModelKind | None = "chat" if "generateContent" in methods else None
    if "embedContent" in methods:
        kind = "embedding"
    named = kind_of({}, native_id)
    return ListedOffer(
        native_id=native_id,
        kind=named if kind == "chat" and named is not None else kind or named,
        context_length=count(entry, "inputTokenLimit"),
        max_output_tokens=count(entry, "outputTokenLimit"),
        capabilities=("reasoning",) if at(entry, "thinking") is True else None,
    )


def _cohere(entry: Any, _: PricePlaces) -> ListedOffer | None:
    native_id = model_id(entry, "name")
    if native_id is None:
        return None
    endpoints = texts(at(entry, "endpoints"))
    kind = next((told for name, told in _COHERE if name in endpoints), None)
    return ListedOffer(
        native_id=native_id,
        kind=kind,
        context_length=count(entry, "context_length"),
        capabilities=abilities(entry),
    )


def _bedrock(entry: Any, _: PricePlaces) -> ListedOffer | None:
    native_id = model_id(entry, "modelId")
    if native_id is None:
        return None
    inputs, outputs = _bedrock_modalities(entry, "input"), _bedrock_modalities(entry, "output")
    said = {"output_modalities": [one.lower() for one in outputs]}
    kind = "embedding" if "EMBEDDING" in outputs else kind_of(said, native_id) or "chat"
    return ListedOffer(
        native_id=native_id,
        kind=kind,
        inputs=tuple(one.lower() for one in inputs) or None,
        outputs=tuple(one.lower() for one in outputs if one != "EMBEDDING") or None,
    )


def _bedrock_modalities(entry: Any, way: str) -> tuple[str, ...]:
    return texts(at(entry, f"{way}Modalities"))


def _ollama(entry: Any, _: PricePlaces) -> ListedOffer | None:
    """One of `/api/tags`, or of its list in OpenAI's shape."""
    native_id = model_id(entry, "model", "name", "id")
    if native_id is None:
        return None
    return ListedOffer(
        native_id=native_id, kind=kind_of(entry, native_id), capabilities=abilities(entry)
    )


def _huggingface(entry: Any, places: PricePlaces) -> ListedOffer | None:
    """The router asks whoever is fastest: a model costs what the dearest of its hosts takes."""
    offer = openai_entry(entry, NO_PRICES)
    hosts = at(entry, "providers")
    if offer is None or not isinstance(hosts, list):
        return offer
    live = [host for host in hosts if text(host, "status") in (None, "live")]
    priced = [found for host in live if (found := _host_prices(host, places)) is not None]
    complete = bool(live) and len(priced) == len(live)
    return ListedOffer(
        native_id=offer.native_id,
        kind=offer.kind or "chat",
        prices=_dearest(priced) if complete else None,
        context_length=min(
            filter(None, (count(one, "context_length") for one in live)), default=None
        ),
        capabilities=abilities(live[0]) if live else None,
        inputs=offer.inputs,
        outputs=offer.outputs,
    )


def _host_prices(host: Any, places: PricePlaces) -> ListedPrices | None:
    ways = ("input", "output")
    return listed_prices(
        {
            f"{way}_picodollars": picodollars(at(host, f"pricing.{way}"), places.scale)
            for way in ways
        }
    )


def _dearest(prices: list[ListedPrices]) -> ListedPrices:
    return ListedPrices(
        input_picodollars=max(one.input_picodollars or 0 for one in prices),
        output_picodollars=max(one.output_picodollars or 0 for one in prices),
    )


def _near(entry: Any, _: PricePlaces) -> ListedOffer | None:
    """Each price is an amount and its own scale: `{"amount": 8, "scale": 7, "currency": "USD"}`."""
    native_id = model_id(entry, "modelId", "id")
    if native_id is None:
        return None
    ways = {"input_picodollars": "inputCostPerToken", "output_picodollars": "outputCostPerToken"}
    return ListedOffer(
        native_id=native_id,
        kind=kind_of(entry, native_id) or "chat",
        prices=listed_prices({name: _scaled(at(entry, path)) for name, path in ways.items()}),
        context_length=count(entry, "metadata.contextLength", "context_length"),
        capabilities=abilities(entry),
    )


def _scaled(cost: Any) -> int | None:
    scale = number(at(cost, "scale"))
    if scale is None or text(cost, "currency") not in (None, "USD") or not 0 <= scale <= 18:
        return None
    return picodollars(at(cost, "amount"), _ONE.scaleb(-int(scale)))


def _cloudflare(entry: Any, _: PricePlaces) -> ListedOffer | None:
    """Limits and prices are among `properties`, each price with its unit in words."""
    native_id = model_id(entry, "name")
    if native_id is None:
        return None
    listed = at(entry, "properties")
    told = {
        text(one, "property_id"): at(one, "value")
        for one in (listed if isinstance(listed, list) else ())
    }
    prices = told.get("price")
    values = dict(
        found
        for one in (prices if isinstance(prices, list) else ())
        if (found := _cloudflare_price(one)) is not None
    )
    flags = [str(name) for name, value in told.items() if value in ("true", True)]
    return ListedOffer(
        native_id=native_id,
        kind=kind_of(entry, native_id),
        prices=listed_prices(values),
        context_length=count(told, "context_window", "max_input_tokens"),
        capabilities=abilities({"tags": flags}) if flags else None,
    )


def _cloudflare_price(one: Any) -> tuple[str, int] | None:
    unit = (text(one, "unit") or "").lower()
    amount = picodollars(at(one, "price"), Decimal("1e-6"))
    if amount is None or text(one, "currency") not in (None, "USD"):
        return None
    ways = {
        "per m input tokens": "input_picodollars",
        "per m output tokens": "output_picodollars",
        "per m cached input tokens": "cache_read_picodollars",
    }
    return (ways[unit], amount) if unit in ways else None


_COHERE: tuple[tuple[str, ModelKind], ...] = (
    ("chat", "chat"),
    ("embed", "embedding"),
    ("rerank", "rerank"),
    ("transcribe", "audio"),
)
ENTRIES: Mapping[Shape, Callable[[Any, PricePlaces], ListedOffer | None]] = {
    "openai": openai_entry,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "cohere": _cohere,
    "bedrock": _bedrock,
    "ollama": _ollama,
    "huggingface": _huggingface,
    "near": _near,
    "cloudflare": _cloudflare,
}
