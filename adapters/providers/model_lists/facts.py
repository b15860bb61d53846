"""What lists say of a model in words of their own: its kind, abilities and modalities."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.providers.model_lists.fields import at, lowered, text, texts
from domain.catalog.events import ModelKind

_KIND_OF_TYPE: Mapping[str, ModelKind] = {
    "chat": "chat",
    "language": "chat",
    "code": "chat",
    "llm": "chat",
    "text": "chat",
    "text-generation": "chat",
    "text generation": "chat",
    "embedding": "embedding",
    "embeddings": "embedding",
    "text embeddings": "embedding",
    "feature-extraction": "embedding",
    "image": "image",
    "text-to-image": "image",
    "text-to-video": "video",
    "video": "video",
    "audio": "audio",
    "tts": "audio",
    "speech": "audio",
    "transcribe": "audio",
    "automatic-speech-recognition": "audio",
    "automatic speech recognition": "audio",
    "text-to-speech": "audio",
    "moderation": "moderation",
    "rerank": "rerank",
    "reranker": "rerank",
    "realtime": "realtime",
}
_KIND_OF_NAME: tuple[tuple[re.Pattern[str], ModelKind], ...] = (
    (re.compile(r"rerank"), "rerank"),
    (re.compile(r"embed|(^|[/-])bge-|(^|[/-])gte-|(^|[/-])e5-"), "embedding"),
    (re.compile(r"whisper|transcri|tts|speech|voxtral-mini-tra"), "audio"),
    (re.compile(r"dall-e|gpt-image|flux|stable-diffusion|sdxl|imagen|-image"), "image"),
    (re.compile(r"(^|[/-])veo|sora|kling|(^|[/-])wan-?\d"), "video"),
    (re.compile(r"moderation|guard"), "moderation"),
    (re.compile(r"realtime"), "realtime"),
)
_ABILITY_OF_WORD: Mapping[str, str] = {
    "tools": "tools",
    "tool-use": "tools",
    "tool_use": "tools",
    "tool-calling": "tools",
    "tool_calling": "tools",
    "function-calling": "tools",
    "function_calling": "tools",
    "functions": "tools",
    "supports_tools": "tools",
    "parallel_tool_calls": "parallel_tools",
    "json_schema": "json_schema",
    "json-mode": "json_schema",
    "structured-outputs": "json_schema",
    "structured_outputs": "json_schema",
    "structured_output": "json_schema",
    "supports_structured_output": "json_schema",
    "vision": "vision",
    "image_input": "vision",
    "supports_image_in": "vision",
    "supports_vision": "vision",
    "image-text-to-text": "vision",
    "pdf_input": "pdf",
    "file-input": "pdf",
    "audio_input": "audio_input",
    "reasoning": "reasoning",
    "thinking": "reasoning",
    "supports_reasoning": "reasoning",
    "prompt_cache": "prompt_caching",
    "implicit-caching": "prompt_caching",
    "web-search": "web_search",
}
_ABILITY_OF_INPUT = {"image": "vision", "file": "pdf", "audio": "audio_input"}
_WORDS = (
    *("supported_parameters", "supported_features", "features", "tags", "metadata.tags"),
    *("capabilities", "supported_generation_methods"),
)
_MODALITIES = ("text", "image", "audio", "video", "file", "pdf")
_TYPES = ("type", "model_type", "task.name", "pipeline_tag", "task")
_INPUTS = ("architecture.input_modalities", "input_modalities", "inputModalities", "modalities.in")
_OUTPUTS = (
    *("architecture.output_modalities", "output_modalities", "outputModalities"),
    "modalities.out",
)


def kind_of(entry: Any, native_id: str) -> ModelKind | None:
    """By the entry's own type, else by the output, else by the name where that says it."""
    told = text(entry, *_TYPES)
    if told is not None and (kind := _KIND_OF_TYPE.get(told.lower())):
        return kind
    outputs = modalities(entry, *_OUTPUTS) or ()
    if "text" not in outputs:
        for modality in outputs:
            return _KIND_OF_TYPE.get(modality)
    name = native_id.lower()
    return next((kind for rule, kind in _KIND_OF_NAME if rule.search(name)), None)


def abilities(entry: Any) -> tuple[str, ...] | None:
    """What requests may ask of it; None where the list says nothing of the sort."""
    words = [word for path in _WORDS for word in lowered(texts(at(entry, path)))]
    if isinstance(entry, Mapping):
        words += [name for name, told in entry.items() if told is True]
    found = {_ABILITY_OF_WORD[word] for word in words if word in _ABILITY_OF_WORD}
    inputs = modalities(entry, *_INPUTS) or ()
    found |= {_ABILITY_OF_INPUT[one] for one in inputs if one in _ABILITY_OF_INPUT}
    return tuple(sorted(found)) if words or inputs else None


def inputs_of(entry: Any) -> tuple[str, ...] | None:
    """The modalities that go in."""
    return modalities(entry, *_INPUTS)


def outputs_of(entry: Any) -> tuple[str, ...] | None:
    """The modalities that come out."""
    return modalities(entry, *_OUTPUTS)


def modalities(entry: Any, *paths: str) -> tuple[str, ...] | None:
    """The first of these lists that names any."""
    return next((found for path in paths if (found := _known(texts(at(entry, path))))), None)


def _known(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in lowered(words) if word in _MODALITIES))
