"""Canonical turns as the messages of a chat completion request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domain.dialects.canonical import (
    Part,
    Redacted,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Untranslatable,
)
from domain.dialects.chat.content import written_content
from domain.dialects.chat.rendering import written_call

_ATTACHED = "[attached below]"
_NO_RESULT = "[no result]"


@dataclass(frozen=True, slots=True)
class MessageForm:
    """What a host takes beyond OpenAI's form.

    `reasoning_field` is the name under which it wants earlier reasoning back; `cache_marks` says
    whether it takes Anthropic's `cache_control`.
    """

    reasoning_field: str | None = None
    cache_marks: bool = False


def written_messages(request: Request, form: MessageForm) -> list[dict[str, Any]]:
    """The messages, the instructions first. Raises `Untranslatable`.

    An answer that the caller has begun is refused: hosts of this wire take it for a whole one.
    """
    if request.turns and request.turns[-1].role == "assistant":
        raise Untranslatable("the provider does not go on with an answer that is begun", "messages")
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": _instructions(request.system, form)})
    for turn in request.turns:
        messages.extend(_turn(turn, form))
    return messages


def _instructions(texts: Sequence[Text], form: MessageForm) -> str | list[dict[str, Any]]:
    if form.cache_marks and any(text.cache for text in texts):
        return written_content(list(texts), marks=True)
    return "\n\n".join(text.text for text in texts)


def _turn(turn: Turn, form: MessageForm) -> Iterator[dict[str, Any]]:
    name = {} if turn.name is None else {"name": turn.name}
    match turn.role:
        case "system":
            texts = [part for part in turn.parts if isinstance(part, Text)]
            yield {"role": "system", "content": _instructions(texts, form), **name}
        case "user":
            for message in _user(turn.parts, form):
                yield {**message, **name} if message["role"] == "user" else message
        case "assistant":
            yield {**_assistant(turn.parts, form), **name}


def _user(parts: Sequence[Part], form: MessageForm) -> Iterator[dict[str, Any]]:
    """The results of tools first, each a message; what else was said follows them."""
    said: list[Part] = []
    attached: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            content, media = _result(part)
            attached.extend(media)
            yield {"role": "tool", "tool_call_id": part.call_id, "content": content}
        elif not isinstance(part, Text) or part.text:
            said.append(part)
    said = [*attached, *said]
    if said:
        yield {"role": "user", "content": written_content(said, marks=form.cache_marks)}
    elif not any(isinstance(part, ToolResult) for part in parts):
        yield {"role": "user", "content": ""}


def _result(result: ToolResult) -> tuple[str, list[Part]]:
    """The text of a result, and the media that a message of this role cannot hold."""
    texts = [part.text for part in result.parts if isinstance(part, Text)]
    media: list[Part] = [part for part in result.parts if not isinstance(part, Text)]
    if media:
        texts.append(_ATTACHED)
    content = "\n".join(texts)
    return (f"ERROR: {content or _NO_RESULT}" if result.is_error else content), media


def _assistant(parts: Sequence[Part], form: MessageForm) -> dict[str, Any]:
    """Reasoning goes along only where the host wants it; one signed by a vendor is of no use."""
    text = "".join(part.text for part in parts if isinstance(part, Text | Refusal))
    calls = [written_call(part) for part in parts if isinstance(part, ToolCall)]
    rest = [
        part
        for part in parts
        if not isinstance(part, Text | Refusal | ToolCall | Thinking | Redacted)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if rest:
        message["content"] = written_content([*([Text(text)] if text else []), *rest], marks=False)
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    if form.reasoning_field:
        told = "".join(part.text for part in parts if isinstance(part, Thinking))
        if told or calls:
            # A host that wants it refuses a tool call without any.
            message[form.reasoning_field] = told or " "
    return message
