"""What of a request and of an answer is counted in tokens, and quick estimates by its size.

Tokenisers differ by vendor and cost milliseconds, so a hold goes by UTF-8 bytes. Measured over
several tokenisers, a token takes about four bytes of prose, code, Chinese or Japanese, three of
compact JSON and more of Cyrillic and Arabic.
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.inference.events import Usage
from domain.value import value

# What the chat template of a provider adds around the messages.
TEMPLATE_TOKENS = 16
# An image or sound sent inline has no length in text; this is about one large image.
INLINE_MEDIA_TOKENS = 1000
_INPUT_FIELDS = (
    "messages",
    "system",
    "instructions",
    "prompt",
    "input",
    "tools",
    "functions",
    "response_format",
    "output_config",
    "text",
)
_NO_TEXT = frozenset({"role", "type", "id"})
# What a template adds around each message, and before the answer.
_MESSAGE_TOKENS = 3
_ANSWER_TOKENS = 3
# JSON of the caller's own: what tools take and are given, and what an answer must be.
_CALLERS_OWN = frozenset({"parameters", "input_schema", "schema", "input"})
# What names the form of data that is no text; such data counts as one image or sound.
_MEDIA_MARKS = ("media_type", "format")


@value()
class Told:
    """What is counted in tokens: texts, and the tokens of what is no text."""

    texts: tuple[str, ...] = ()
    other_tokens: int = 0


NOTHING = Told()


class Growing:
    """What is told in parts, each going on with the last."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._other_tokens = 0

    def add(self, part: Told) -> None:
        """Takes the next part in."""
        self._texts.extend(part.texts)
        self._other_tokens += part.other_tokens

    def told(self) -> Told:
        """All of it so far."""
        return Told(("".join(self._texts),), self._other_tokens)


def tokens_to_hold(size: int) -> int:
    """Input tokens to set money aside for, given the size of the whole request body in bytes.

    At 2.5 bytes a token it lies above compact JSON, the densest ordinary input. Unusual input
    (base64 as text) can pass it; the charge never passes the hold.
    """
    return -(-size * 2 // 5) + TEMPLATE_TOKENS


def tokens_of(size: int) -> int:
    """The likely number of tokens in so many bytes of text."""
    return -(-size // 4)


def estimated_usage(request: Mapping[str, Any], put_out_bytes: int) -> Usage:
    """The usage of a call whose provider reported none, from the texts of both sides.

    `put_out_bytes` is the size of what the model put out, in UTF-8.
    """
    asked = text_size([request.get(field) for field in _INPUT_FIELDS])
    return Usage(
        input_tokens=tokens_of(asked), output_tokens=tokens_of(put_out_bytes), source="estimate"
    )


def asked_tokens(request: Mapping[str, Any]) -> Told:
    """What a request holds for the model to read, in the wire of any endpoint."""
    told = told_in([request.get(field) for field in _INPUT_FIELDS])
    turns = request.get("messages") or request.get("input")
    if not isinstance(turns, list) or not any(isinstance(turn, dict) for turn in turns):
        return told
    return Told(told.texts, told.other_tokens + len(turns) * _MESSAGE_TOKENS + _ANSWER_TOKENS)


def text_size(value: object) -> int:
    """The UTF-8 bytes of every text within parsed JSON, roles and ids aside."""
    told = told_in(value)
    return sum(map(_size, told.texts)) + told.other_tokens * 4


def told_in(value: object) -> Told:
    """Every text within parsed JSON, in order, roles and ids aside."""
    texts: list[str] = []
    others, rest = 0, [value]
    while rest:
        match rest.pop():
            case str() as text if text.startswith("data:"):
                others += INLINE_MEDIA_TOKENS
            case str() as text:
                texts.append(text)
            case list() as items:
                rest.extend(reversed(items))
            case dict() as fields if _is_media(fields):
                others += INLINE_MEDIA_TOKENS
            case dict() as fields:
                named = [
                    _read(item) if name in _CALLERS_OWN else item
                    for name, item in fields.items()
                    if name not in _NO_TEXT
                ]
                rest.extend(reversed(named))
            case bool() | None:
                pass
            case _:
                others += 1  # a token id or another number is about one token
    return Told(tuple(texts), others)


def _read(value: object) -> object:
    """What the model reads of the caller's own JSON: its names too."""
    if not isinstance(value, dict):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_media(fields: Mapping[str, Any]) -> bool:
    is_marked = "data" in fields and any(name in fields for name in _MEDIA_MARKS)
    return is_marked and fields.get("type") != "text"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
