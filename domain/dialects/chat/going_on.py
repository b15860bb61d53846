"""Going on with a completion that broke off: its text so far becomes the last assistant turn."""

from collections.abc import Mapping
from typing import Any

from domain.dialects.surface import Body, Delta

# What a delta may hold beside text without being more than text.
_SILENT = frozenset({"role", "content"})


def plain_text(delta: Delta) -> str | None:
    """The text that a chunk adds; None when it adds anything else."""
    texts: list[str] = []
    for choice in delta.get("choices") or ():
        added = choice.get("delta") or {}
        if choice.get("index") or choice.get("logprobs"):
            return None
        if any(value for name, value in added.items() if name not in _SILENT):
            return None
        content = added.get("content") or ""
        if not isinstance(content, str):
            return None
        texts.append(content)
    return "".join(texts)


def request_for_the_rest(request: Mapping[str, Any], text: str) -> Body | None:
    """The request with the text so far as a prefill; None when the answer must be of one piece."""
    kind = (request.get("response_format") or {}).get("type", "text")
    if not text.strip() or kind != "text" or (request.get("n") or 1) != 1:
        return None
    # A prefill that ends in white space is refused by those that take one.
    prefill = {"role": "assistant", "content": text.rstrip()}
    return {**request, "messages": [*request["messages"], prefill]}


def joined(text: str, body: Body) -> Body:
    """The completion with `text` before its own."""
    choices = [
        {
            **choice,
            "message": {
                **choice["message"],
                "content": text + (choice["message"]["content"] or ""),
            },
        }
        for choice in body["choices"]
    ]
    return {**body, "choices": choices}
