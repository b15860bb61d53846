"""Token estimates: for holds before a call, and for settling when a provider reports no usage.

Tokenisers differ by vendor and cost milliseconds, so both estimates go by UTF-8 bytes. Measured
over several tokenisers, a token takes about four bytes of prose, code, Chinese or Japanese, three
of compact JSON and more of Cyrillic and Arabic.
"""

from collections.abc import Mapping
from typing import Any

from domain.inference.events import Usage

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


def text_size(value: object) -> int:
    """The UTF-8 bytes of every text within parsed JSON, roles and ids aside."""
    size, rest = 0, [value]
    while rest:
        match rest.pop():
            case str() as text:
                size += _size(text)
            case list() as items:
                rest.extend(items)
            case dict() as fields:
                rest.extend(item for name, item in fields.items() if name not in _NO_TEXT)
            case bool() | None:
                pass
            case _:
                size += 4  # a token id or another number is about one token
    return size


def _size(text: str) -> int:
    if text.startswith("data:"):
        return INLINE_MEDIA_TOKENS * 4
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
