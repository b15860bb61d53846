"""Reading the price map of litellm and its older copy in tokencost: one JSON object a model."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.catalog.searching import is_research, searches
from infra.model_data.rows import Prices, Row, per_unit, tiers_of, whole_number

KINDS = {
    "chat": "chat",
    "completion": "chat",
    "responses": "chat",
    "embedding": "embedding",
    "image_generation": "image",
    "image_edit": "image",
    "audio_transcription": "audio",
    "audio_speech": "audio",
    "moderation": "moderation",
    "rerank": "rerank",
    "video_generation": "video",
    "realtime": "realtime",
    "ocr": "document",
}
BY_TOKEN = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
}
_ABOVE = re.compile(r"(.+)_above_(\d+)k_tokens")
_UNIT = re.compile(
    r"((?:input|output|ocr|annotation)_)?cost_per_"
    r"((?:image|second|character|page|query|video_per_second|audio_per_second)(?:_\d+[pkK])?)"
)
CAPABILITIES = {
    "supports_function_calling": "tools",
    "supports_response_schema": "json_schema",
    "supports_vision": "vision",
    "supports_reasoning": "reasoning",
    "supports_assistant_prefill": "prefill",
    "supports_pdf_input": "pdf",
    "supports_audio_input": "audio_input",
    "supports_audio_output": "audio_output",
    "supports_prompt_caching": "prompt_caching",
    "supports_web_search": "web_search",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_computer_use": "computer_use",
}
# What answers on one route of its provider alone.
ONE_WIRE = {"responses": {"responses_only"}, "completion": {"completions_only"}}
# The wheel's own words for what is no model.
NO_MODELS = {"sample_spec", "fallback_generalizations"}
NO_KINDS = {"search", "vector_store", "guardrail"}


def read(content: bytes, source: str, today: str) -> Iterator[Row]:
    """The rows of the map. A model whose end lies before `today` is marked."""
    for name, model in json.loads(content, parse_float=Decimal).items():
        provider = model.get("litellm_provider")
        if name in NO_MODELS or model.get("mode") in NO_KINDS or not provider:
            continue
        base = _prices(model, "") | _search(name, model)
        first, above = _tiered(model.get("tiered_pricing") or ())
        yield Row(
            provider=provider,
            native_id=name,
            source=source,
            kind=KINDS.get(model.get("mode", "")),
            prices=(base := {**first, **base}),
            tiers=tiers_of(base, above or _above(model)),
            batch=_prices(model, "_batches"),
            per_unit=_per_unit(model),
            context_length=whole_number(model.get("max_input_tokens")),
            max_output_tokens=whole_number(model.get("max_output_tokens")),
            inputs=tuple(model.get("supported_modalities") or ()),
            outputs=tuple(model.get("supported_output_modalities") or ()),
            capabilities=_capabilities(model),
            is_over=str(model.get("deprecation_date") or "9") < today,
        )


def _prices(model: Mapping[str, Any], tier: str) -> Prices:
    found = {}
    for field, dimension in BY_TOKEN.items():
        value = model.get(field + tier)
        if isinstance(value, Decimal | int) and value >= 0:
            found[dimension] = per_unit(value)
    request = model.get("input_cost_per_request")
    if isinstance(request, Decimal | int) and not tier:
        found["request"] = per_unit(request)
    return found


def _search(name: str, model: Mapping[str, Any]) -> Prices:
    """What a search costs, at its dearest: of most models one is billed a request."""
    costs = model.get("search_context_cost_per_query")
    if not costs or not searches(name):
        return {}
    return {"search" if is_research(name) else "request": max(map(per_unit, costs.values()))}


def _above(model: Mapping[str, Any]) -> dict[int, Prices]:
    """The prices above a length, spelled in the field: `..._above_200k_tokens`."""
    found: dict[int, Prices] = {}
    for field, value in model.items():
        match = _ABOVE.fullmatch(field)
        if match and match[1] in BY_TOKEN and isinstance(value, Decimal | int):
            tier = found.setdefault(int(match[2]) * 1000, {})
            tier[BY_TOKEN[match[1]]] = per_unit(value)
    return found


def _tiered(steps: Any) -> tuple[Prices, dict[int, Prices]]:
    """The first step's prices and those of the steps above it."""
    by_start = {int(step["range"][0]): _prices(step, "") for step in steps if "range" in step}
    return by_start.pop(0, {}), by_start


def _per_unit(model: Mapping[str, Any]) -> Prices:
    found = {}
    for field, value in model.items():
        match = _UNIT.fullmatch(field)
        if match and isinstance(value, Decimal | int) and value > 0:
            found[(match[1] or "") + match[2].lower()] = per_unit(value)
    return found


def _capabilities(model: Mapping[str, Any]) -> frozenset[str]:
    told = {name for field, name in CAPABILITIES.items() if model.get(field) is True}
    return frozenset(told | ONE_WIRE.get(model.get("mode", ""), set()))
