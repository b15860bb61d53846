"""What was said so far, as Google's `contents`."""

import mimetypes
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from adapters.providers.failures import UNREADABLE
from adapters.providers.gemini.tools import native_name
from adapters.providers.gemini.traits import Traits
from adapters.providers.target import Dropped
from domain.dialects.canonical import (
    Audio,
    File,
    Image,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Untranslatable,
)

# What Google documents for calls whose signature is lost, or that another model made.
PLACEHOLDER = "skip_thought_signature_validator"
# A talk must begin with the user, and a turn must say something.
_FILLER = {"text": "."}
_WireParts = list[dict[str, Any]]
_Content = dict[str, Any]


class Contents:
    """Writes turns; `dropped` gathers what had no place.

    On `vertex` calls have no ids: they are paired with their results by order.
    """

    def __init__(self, traits: Traits, *, vertex: bool) -> None:
        self.dropped = Dropped()
        self._traits = traits
        self._vertex = vertex
        self._calls: dict[str, tuple[int, str]] = {}

    def written(self, system: Sequence[Text], turns: Sequence[Turn]) -> list[_Content]:
        """The contents; `system` is what must stand there for want of another place."""
        contents: list[_Content] = []
        if system:
            contents.append({"role": "user", "parts": self.texts(system)})
        for turn in turns:
            if turn.name:
                self.dropped.add("name")
            role = "model" if turn.role == "assistant" else "user"
            parts = self._parts(turn.parts)
            if contents and contents[-1]["role"] == role:
                contents[-1]["parts"] += parts
            elif parts:
                contents.append({"role": role, "parts": parts})
        if not contents or contents[0]["role"] != "user":
            contents.insert(0, {"role": "user", "parts": [_FILLER]})
        return [self._ordered(content) for content in contents]

    def texts(self, texts: Iterable[Text]) -> _WireParts:
        """Plain texts as parts; empty ones are none."""
        return [self._text(text) for text in texts if text.text]

    def _text(self, text: Text) -> dict[str, Any]:
        self._cached(text.cache)
        return {"text": text.text}

    def _cached(self, mark: object) -> None:
        if mark is not None:
            self.dropped.add("cache_control")

    def _parts(self, parts: Sequence[Part]) -> _WireParts:
        written: _WireParts = []
        # A signature that came by itself belongs to the call after it.
        loose: str | None = None
        for part in parts:
            if isinstance(part, ToolCall):
                written.append(self._call(part, loose))
                loose = None
                continue
            if loose:
                written.append({"text": "", "thoughtSignature": loose})
                loose = None
            if isinstance(part, Thinking) and part.vendor == "google" and not part.text:
                loose = part.signature
            else:
                written += self._part(part)
        if loose:
            written.append({"text": "", "thoughtSignature": loose})
        return written

    def _part(self, part: Part) -> _WireParts:
        match part:
            case Text(text=text) | Refusal(text=text) if not text:
                return []
            case Text():
                return [self._text(part)]
            case Refusal(text=text):
                return [{"text": text}]
            case Image() | File() | Audio():
                return [self._media(part)]
            case ToolResult():
                return self._result(part)
            case Thinking(signature=str() as signature, vendor="google"):
                return [{"text": part.text, "thought": True, "thoughtSignature": signature}]
            case Thinking() | Redacted() | ToolCall():
                return []  # only its own vendor can make use of it
        raise Untranslatable("the message has a part that Gemini does not take", "messages")

    def _call(self, call: ToolCall, loose: str | None) -> dict[str, Any]:
        self._cached(call.cache)
        self._calls[call.id] = len(self._calls), call.name
        function: dict[str, Any] = {} if self._vertex else {"id": call.id}
        function |= {"name": native_name(call.name), "args": _arguments(call.arguments)}
        signature = call.signature if call.vendor == "google" else loose
        return {"functionCall": function} | ({"thoughtSignature": signature} if signature else {})

    def _result(self, result: ToolResult) -> _WireParts:
        """The response, and the media of it after that."""
        self._cached(result.cache)
        name = result.name or self._calls.get(result.call_id, (0, ""))[1]
        if not name:
            raise Untranslatable("a tool result answers no call of the talk", "messages")
        text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
        function: dict[str, Any] = {} if self._vertex else {"id": result.call_id}
        function |= {"name": native_name(name), "response": _response(text, result.is_error)}
        media = [part for part in result.parts if not isinstance(part, Text)]
        # The place orders the results and goes no further.
        place = self._calls.get(result.call_id, (len(self._calls), ""))[0]
        response = {"functionResponse": function, "place": place}
        return [response, *(one for part in media for one in self._part(part))]

    def _ordered(self, content: _Content) -> _Content:
        """Results first, in the order of their calls; the first call signed where it must be."""
        parts: _WireParts = content["parts"]
        if content["role"] == "model":
            first = next((part for part in parts if "functionCall" in part), None)
            if first is not None and self._traits.signed_calls:
                first.setdefault("thoughtSignature", PLACEHOLDER)
            return content
        results = [part for part in parts if "functionResponse" in part]
        if not results:
            return content
        results.sort(key=lambda part: part.pop("place"))
        return {**content, "parts": results + [p for p in parts if "functionResponse" not in p]}

    def _media(self, part: Image | File | Audio) -> dict[str, Any]:
        if isinstance(part, Audio):
            return _inline(f"audio/{part.format}", part.data)
        self._cached(part.cache)
        fallback = "image/jpeg" if isinstance(part, Image) else "application/pdf"
        if part.data is not None:
            return _inline(part.media_type or fallback, part.data)
        if isinstance(part, File) and part.text is not None:
            return {"text": f"{part.name}\n\n{part.text}" if part.name else part.text}
        url = part.url or ""
        if not self._takes(url):
            raise Untranslatable("the model does not fetch what the address names", "messages")
        guessed = mimetypes.guess_type(url.partition("?")[0])[0]
        return {"fileData": {"mimeType": part.media_type or guessed or fallback, "fileUri": url}}

    def _takes(self, url: str) -> bool:
        if url.startswith("gs://"):
            return self._vertex
        return self._traits.urls and url.startswith("https://")


def _inline(media_type: str, content: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": content}}


def _arguments(text: str) -> dict[str, Any]:
    """A call's arguments; what is no JSON object is kept as it stands."""
    parsed = _object(text or "{}")
    return {"_raw": text} if parsed is None else parsed


def _response(text: str, is_error: bool) -> dict[str, Any]:
    if is_error:
        return {"error": text}
    parsed = _object(text)
    return {"result": text} if parsed is None else parsed


def _object(text: str) -> dict[str, Any] | None:
    try:
        parsed = msgspec.json.decode(text)
    except UNREADABLE:
        return None
    return parsed if isinstance(parsed, dict) else None
