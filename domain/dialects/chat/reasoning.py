"""Reasoning in chat completions: an extension that providers spell in several ways.

It is written as `reasoning_content`, and where a vendor signed it also as `reasoning_details` in
the form that OpenRouter gave them, so that a client which sends them back loses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from domain.dialects.canonical import Part, Redacted, Thinking, Vendor

_FORMATS: Mapping[Vendor, str] = {
    "anthropic": "anthropic-claude-v1",
    "google": "google-gemini-v1",
    "openai": "openai-responses-v1",
    "bedrock": "bedrock-converse-v1",
    "other": "unknown",
}


def thinking_of(message: Mapping[str, Any]) -> Iterator[Thinking | Redacted]:
    """The reasoning that an assistant's message carries; signed details say it best."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        yield from _details(details)
    elif told := reasoning_text(message):
        yield Thinking(text=told)


def reasoning_text(message: Mapping[str, Any]) -> str:
    """The readable reasoning of a message or delta."""
    told = message.get("reasoning_content") or message.get("reasoning")
    return told if isinstance(told, str) else ""


def _details(details: Iterable[Any]) -> Iterator[Thinking | Redacted]:
    for detail in details:
        if not isinstance(detail, Mapping):
            continue
        vendor = vendor_of(detail)
        if data := detail.get("data"):
            yield Redacted(data=str(data), vendor=vendor)
        else:
            signature = detail.get("signature") or None
            told = detail.get("text") or detail.get("summary") or ""
            yield Thinking(
                text=str(told), signature=signature, vendor=vendor if signature else None
            )


def vendor_of(detail: Mapping[str, Any]) -> Vendor:
    """Who signed a detail; Anthropic where it does not say, which was the first to sign."""
    told = detail.get("format")
    if told is None:
        return "anthropic"
    return next((vendor for vendor, name in _FORMATS.items() if name == told), "other")


def text_detail(thinking: Thinking, index: int) -> dict[str, Any]:
    """Readable reasoning as a detail."""
    detail: dict[str, Any] = {"type": "reasoning.text", "index": index, "text": thinking.text}
    if thinking.signature is not None:
        detail |= {
            "signature": thinking.signature,
            "format": _FORMATS[thinking.vendor or "other"],
        }
    return detail


def redacted_detail(redacted: Redacted, index: int) -> dict[str, Any]:
    """Reasoning that only its vendor can read as a detail."""
    return {
        "type": "reasoning.encrypted",
        "index": index,
        "data": redacted.data,
        "format": _FORMATS[redacted.vendor],
    }


def reasoning_fields(parts: Sequence[Part]) -> dict[str, Any]:
    """What a message says about its reasoning; details only where something would get lost."""
    thoughts = [part for part in parts if isinstance(part, Thinking | Redacted)]
    fields: dict[str, Any] = {}
    if told := "".join(one.text for one in thoughts if isinstance(one, Thinking)):
        fields["reasoning_content"] = told
    if any(isinstance(one, Redacted) or one.signature is not None for one in thoughts):
        fields["reasoning_details"] = [
            redacted_detail(one, index) if isinstance(one, Redacted) else text_detail(one, index)
            for index, one in enumerate(thoughts)
        ]
    return fields


def google_signature(call: Mapping[str, Any]) -> str | None:
    """Google's signature of a tool call, where its own compatible layer puts it."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    signature = google.get("thought_signature") if isinstance(google, Mapping) else None
    return signature if isinstance(signature, str) and signature else None


def signature_field(signature: str | None, vendor: Vendor | None) -> dict[str, Any]:
    """The same, to be written into a tool call."""
    if signature is None or vendor != "google":
        return {}
    return {"extra_content": {"google": {"thought_signature": signature}}}
