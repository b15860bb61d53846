"""What Google counted: its `usageMetadata`."""

from typing import Any

from adapters.providers.usage import MAX_TOKENS
from domain.inference.events import Usage


def parse_usage_metadata(counted: Any) -> Usage | None:
    """The token counts, or None when they are absent or make no sense.

    Thoughts are counted beside the answer, unless the total shows that they are inside.
    """
    if not isinstance(counted, dict):
        return None
    prompt = _count(counted, "promptTokenCount")
    if prompt is None:
        return None
    prompt += _count(counted, "toolUsePromptTokenCount") or 0
    answer = _count(counted, "candidatesTokenCount") or 0
    thoughts = _count(counted, "thoughtsTokenCount") or 0
    inside = thoughts <= answer and counted.get("totalTokenCount") == prompt + answer
    output = answer if inside else answer + thoughts
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=min(_count(counted, "cachedContentTokenCount") or 0, prompt),
        reasoning_tokens=thoughts,
        input_audio_tokens=min(_audio(counted, "promptTokensDetails"), prompt),
        output_audio_tokens=min(_audio(counted, "candidatesTokensDetails"), output),
    )


def _audio(counted: dict[str, Any], side: str) -> int:
    details = counted.get(side)
    if not isinstance(details, list):
        return 0
    return sum(
        _count(detail, "tokenCount") or 0
        for detail in details
        if isinstance(detail, dict) and detail.get("modality") == "AUDIO"
    )


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and 0 <= value <= MAX_TOKENS else None
