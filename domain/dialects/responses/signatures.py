"""Reasoning items: OpenAI's encrypted reasoning, and that of others under our mark.

A client sends reasoning items back as they came. What another vendor signed is given our mark in
front of it, which says whose it is; OpenAI never gets to see it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from domain.dialects.canonical import Redacted, Thinking, Vendor

_MARK = "gatewayz:"
_SIGNED, _HIDDEN = "signed", "hidden"
# What OpenAI does not take in an item from us.
_OURS = frozenset({"id", "status", "extra_content"})


def encrypted_of(part: Thinking | Redacted) -> str | None:
    """The `encrypted_content` that keeps what only its vendor can check or read."""
    if isinstance(part, Redacted):
        if part.vendor == "openai":
            return part.data
        return f"{_MARK}{_HIDDEN}:{part.vendor}:{part.data}"
    if part.signature is None:
        return None
    if part.vendor == "openai":
        return part.signature
    return f"{_MARK}{_SIGNED}:{part.vendor or 'other'}:{part.signature}"


def reasoning_from(item: Mapping[str, Any]) -> Iterator[Thinking | Redacted]:
    """What a reasoning item holds; nothing where it is neither readable nor encrypted."""
    told = _told(item.get("content")) or _told(item.get("summary"))
    encrypted = item.get("encrypted_content")
    if not isinstance(encrypted, str) or not encrypted:
        if told:
            yield Thinking(text=told)
        return
    if not encrypted.startswith(_MARK):
        yield Thinking(text=told, signature=encrypted, vendor="openai")
        return
    kind, vendor, rest = _unmarked(encrypted)
    if kind == _HIDDEN:
        yield Redacted(data=rest, vendor=vendor)
    else:
        yield Thinking(text=told, signature=rest, vendor=vendor)


def _told(parts: object) -> str:
    if not isinstance(parts, list):
        return ""
    return "\n\n".join(
        str(part["text"]) for part in parts if isinstance(part, Mapping) and part.get("text")
    )


def _unmarked(encrypted: str) -> tuple[str, Vendor, str]:
    kind, _, rest = encrypted.removeprefix(_MARK).partition(":")
    vendor, _, rest = rest.partition(":")
    return kind, cast("Vendor", vendor) if vendor in get_args(Vendor) else "other", rest


def sendable(items: Sequence[Any]) -> list[Any]:
    """Input items as OpenAI takes them from us, who keep nothing there.

    The ids of items mean nothing then, so they are left out; reasoning that OpenAI cannot decrypt
    is too.
    """
    return [_sendable(item) for item in items if not _is_foreign(item)]


def _is_foreign(item: object) -> bool:
    if not isinstance(item, Mapping) or item.get("type") != "reasoning":
        return False
    encrypted = item.get("encrypted_content")
    return not isinstance(encrypted, str) or not encrypted or encrypted.startswith(_MARK)


def _sendable(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    return {name: value for name, value in item.items() if name not in _OURS}
