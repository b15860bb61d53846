"""What keeps a conversation in this wire whole though other providers answered parts of it.

Anthropic's clients send thinking back with its signature. What Anthropic did not sign is given
our mark in front, which says whose it is; Anthropic never gets to see it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from domain.dialects.canonical import Redacted, Thinking, Vendor
from domain.dialects.fields import made_up_id

_MARK = "gatewayz:"
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def shown_signature(signature: str | None, vendor: Vendor | None) -> str:
    """The signature that a client is given; never empty, because clients take that for none."""
    if vendor == "anthropic" and signature:
        return signature
    return f"{_MARK}{vendor or 'other'}:{signature or ''}"


def thinking_from(text: str, shown: str) -> Thinking:
    """What `shown_signature` was made of."""
    if not shown.startswith(_MARK):
        signed = shown or None
        return Thinking(text=text, signature=signed, vendor="anthropic" if signed else None)
    vendor, signature = _unmarked(shown)
    if not signature:
        return Thinking(text=text)
    return Thinking(text=text, signature=signature, vendor=vendor)


def redacted_from(shown: str) -> Redacted:
    """The same for reasoning that cannot be read."""
    if not shown.startswith(_MARK):
        return Redacted(data=shown, vendor="anthropic")
    vendor, data = _unmarked(shown)
    return Redacted(data=data, vendor=vendor)


def _unmarked(shown: str) -> tuple[Vendor, str]:
    vendor, _, rest = shown.removeprefix(_MARK).partition(":")
    return (cast("Vendor", vendor) if vendor in get_args(Vendor) else "other"), rest


def without_foreign_thinking(messages: Sequence[Any]) -> Sequence[Any]:
    """`messages` as Anthropic takes them; the same object where nothing bears our mark."""
    if not any(map(_is_foreign, _blocks(messages))):
        return messages
    return [_without(message) for message in messages]


def _blocks(messages: Sequence[Any]) -> Any:
    for message in messages:
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            content = message.get("content")
            if isinstance(content, list):
                yield from content


def _is_foreign(block: object) -> bool:
    match block:
        case {"type": "thinking", "signature": str() as shown}:
            return shown.startswith(_MARK)
        case {"type": "redacted_thinking", "data": str() as shown}:
            return shown.startswith(_MARK)
        case _:
            return False


def _without(message: Any) -> Any:
    if not any(map(_is_foreign, _blocks([message]))):
        return message
    kept = [block for block in message["content"] if not _is_foreign(block)]
    return {**message, "content": kept or [{"type": "text", "text": "."}]}


def tool_id(given: str) -> str:
    """An id that Anthropic takes: `given`, or always the same one for it."""
    return given if _TOOL_ID.fullmatch(given) else made_up_id("toolu_", given)
