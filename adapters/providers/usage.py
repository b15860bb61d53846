"""The usage that a provider reports, in its several spellings."""

from typing import Any

import msgspec

from domain.inference.events import Usage

# No call takes more; a larger figure is a fault of the provider, not a measure.
MAX_TOKENS = 10**9


class _UsageField(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


_USAGE_FIELD = msgspec.json.Decoder(_UsageField)


def raw_usage(content: bytes) -> str:
    """The `usage` of a reply or chunk as the JSON text it came in."""
    return bytes(_USAGE_FIELD.decode(content).usage).decode()


def parse_usage(usage: object) -> Usage | None:
    """The token counts, or None when they are absent or make no sense."""
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    if prompt is None:
        return None
    output = completion or 0
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=min(_detail(usage, "prompt", "input", "cached_tokens"), prompt),
        reasoning_tokens=min(_detail(usage, "completion", "output", "reasoning_tokens"), output),
    )


def _detail(usage: dict[str, Any], chat_side: str, other_side: str, name: str) -> int:
    details = usage.get(f"{chat_side}_tokens_details") or usage.get(f"{other_side}_tokens_details")
    return (_count(details, name) if isinstance(details, dict) else None) or 0


def _count(fields: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, int) and 0 <= value <= MAX_TOKENS:
            return int(value)
    return None
