"""The usage that a provider of OpenAI's or Anthropic's wire reports, in its several spellings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from domain.inference.events import Usage

# No call takes more; a larger figure is a fault of the provider, not a measure.
MAX_TOKENS = 10**9
_NOTHING = msgspec.Raw(b"null")
# Where searches of the web are counted: by Perplexity, by its agents, by Anthropic and OpenRouter.
_SEARCHES = (
    ("num_search_queries",),
    ("tool_calls_details", "search_web", "invocation"),
    ("server_tool_use", "web_search_requests"),
)
_SEARCHED_IN = frozenset(path[0] for path in _SEARCHES)
_NONE: dict[str, Any] = {}


class _Counted(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING


class _Reply(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING
    x_groq: msgspec.Raw = _NOTHING
    choices: msgspec.Raw = _NOTHING


_REPLY = msgspec.json.Decoder(_Reply)
_COUNTED = msgspec.json.Decoder(_Counted)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def usage_of(reply: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage of a reply or chunk; Groq and Moonshot have places of their own for it."""
    usage = reply.get("usage")
    if isinstance(usage, dict):
        return usage
    groq, choices = reply.get("x_groq"), reply.get("choices")
    if isinstance(groq, dict) and isinstance(usage := groq.get("usage"), dict):
        return usage
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        usage = choices[0].get("usage")
    return usage if isinstance(usage, dict) else None


def raw_usage(content: bytes) -> str:
    """The same as the JSON text it came in."""
    usages = _raw_usages(_REPLY.decode(content))
    return next((usage for usage in usages if usage.startswith(b"{")), b"null").decode()


def _raw_usages(reply: _Reply) -> Iterator[bytes]:
    """What stands in each place for it; a host may put anything else there."""
    yield _text(reply.usage)
    choices = _LIST.decode(reply.choices) if _text(reply.choices).startswith(b"[") else ()
    for place in (reply.x_groq, *choices):
        if _text(place).startswith(b"{"):
            yield _text(_COUNTED.decode(place).usage)


def _text(raw: msgspec.Raw) -> bytes:
    return bytes(raw).strip()


def parse_usage(usage: object) -> Usage | None:
    """The token counts, or None when they are absent or make no sense."""
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    if prompt is None and usage.keys() <= {"total_tokens"}:
        prompt = _count(usage, "total_tokens")  # all that Voyage tells of embeddings
    if prompt is None:
        return None
    output = _count(usage, "completion_tokens", "output_tokens") or 0
    asked = _details(usage, "prompt_tokens_details", "input_tokens_details")
    told = _details(usage, "completion_tokens_details", "output_tokens_details")
    reasoning = _count(told, "reasoning_tokens") or 0
    if reasoning > output:
        # xAI counts the reasoning beside the completion; the total shows it.
        output = max(output, (_count(usage, "total_tokens") or 0) - prompt)
    if not reasoning and "num_search_queries" in usage:
        # Perplexity counts its reasoning and the sources that it read beside the others.
        reasoning = _count(usage, "reasoning_tokens") or 0
        output, prompt = output + reasoning, prompt + (_count(usage, "citation_tokens") or 0)
    cached = _count(asked, "cached_tokens")
    if cached is None:
        cached = _count(usage, "prompt_cache_hit_tokens", "cached_tokens") or 0
    cached = min(cached, prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=min(_count(asked, "cache_write_tokens") or 0, prompt - cached),
        reasoning_tokens=min(reasoning, output),
        input_audio_tokens=min(_count(asked, "audio_tokens") or 0, prompt),
        output_audio_tokens=min(_count(told, "audio_tokens") or 0, output),
        searches=_searches(usage),
    )


def parse_messages_usage(usage: object) -> Usage | None:
    """The same of Anthropic's wire, which counts the cache's share of the input apart."""
    if not isinstance(usage, dict):
        return None
    fresh = _count(usage, "input_tokens")
    if fresh is None:
        return None
    read = _count(usage, "cache_read_input_tokens") or 0
    split = usage.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    hour = _count(split, "ephemeral_1h_input_tokens") or 0
    written = max(
        _count(usage, "cache_creation_input_tokens") or 0,
        hour + (_count(split, "ephemeral_5m_input_tokens") or 0),
    )
    output = _count(usage, "output_tokens") or 0
    told = usage.get("output_tokens_details")
    thinking = _count(told, "thinking_tokens") if isinstance(told, dict) else 0
    return Usage(
        input_tokens=fresh + read + written,
        output_tokens=output,
        cached_input_tokens=read,
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=min(thinking or 0, output),
        searches=_searches(usage),
    )


def overlaid(texts: Iterable[str]) -> str:
    """One JSON object of several: a later one's fields replace those before, unless null.

    Anthropic reports in two events, and the counts of the second are totals, not additions.
    """
    merged: dict[str, msgspec.Raw] = {}
    for text in texts:
        given = _OBJECT.decode(text)
        merged |= {name: value for name, value in given.items() if bytes(value) != b"null"}
    return msgspec.json.encode(merged).decode()


def _details(usage: dict[str, Any], name: str, other_name: str) -> dict[str, Any]:
    details = usage.get(name) or usage.get(other_name)
    return details if isinstance(details, dict) else _NONE


def _searches(usage: dict[str, Any]) -> int | None:
    if _SEARCHED_IN.isdisjoint(usage):
        return None
    for *path, name in _SEARCHES:
        fields: Any = usage
        for part in path:
            fields = fields.get(part) if isinstance(fields, dict) else None
        if isinstance(fields, dict) and (made := _count(fields, name)) is not None:
            return made
    return None


def _count(fields: Mapping[str, Any], *names: str) -> int | None:
    if not fields:
        return None
    for name in names:
        value = fields.get(name)
        if isinstance(value, int) and 0 <= value <= MAX_TOKENS:
            return int(value)
    return None
