"""The turns of a canonical request as the messages of Converse."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from adapters.providers.bedrock.media import audio_block, document_block, image_block
from adapters.providers.bedrock.models import Model
from adapters.providers.bedrock.thinking import is_own
from adapters.providers.target import Dropped
from domain.dialects.canonical import (
    Audio,
    CacheMark,
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

Block = dict[str, Any]

# A message or a text must not be empty, and the first message must be the user's.
_NOTHING_SAID: Final = "."
_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}\Z")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


class Conversation:
    """Takes turns in; those of one side that follow each other become one message."""

    def __init__(self, model: Model, dropped: Dropped) -> None:
        self._model = model
        self._dropped = dropped
        self._messages: list[dict[str, Any]] = []
        self._documents = 0

    def add(self, turn: Turn) -> None:
        """Takes in a turn; an instruction within the talk is told as the user's."""
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = [block for part in turn.parts for block in self._blocks(part)]
        if turn.name and role == "user":
            blocks = _named(turn.name, blocks)
        if self._messages and self._messages[-1]["role"] == role:
            self._messages[-1]["content"].extend(blocks)
        else:
            self._messages.append({"role": role, "content": blocks})

    def messages(self) -> list[dict[str, Any]]:
        """What to send. Raises `Untranslatable` when the answer's beginning is prescribed."""
        messages = self._messages
        if not messages or messages[0]["role"] != "user":
            messages = [{"role": "user", "content": []}, *messages]
        for message in messages:
            message["content"] = _ordered(message["content"])
        if messages[-1]["role"] == "assistant":
            self._check_prefill(messages[-1])
        return messages

    def _check_prefill(self, last: Mapping[str, Any]) -> None:
        if not self._model.prefill:
            raise Untranslatable("the model does not go on with an answer's beginning", "messages")
        for block in last["content"]:
            if "text" in block:
                block["text"] = block["text"].rstrip() or _NOTHING_SAID

    def _blocks(self, part: Part) -> list[Block]:
        blocks = self._bare_blocks(part)
        mark = getattr(part, "cache", None)
        return [*blocks, *cache_points(mark, self._model, self._dropped)] if blocks else []

    def _bare_blocks(self, part: Part) -> list[Block]:
        match part:
            case Text() | Refusal():
                return [{"text": part.text}] if part.text.strip() else []
            case Image():
                return [image_block(part)]
            case File():
                self._documents += 1
                return [document_block(part, self._documents)]
            case Audio():
                return [audio_block(part)]
            case ToolCall():
                return [{"toolUse": _tool_use(part)}]
            case ToolResult():
                return [{"toolResult": self._tool_result(part)}]
            case Thinking() | Redacted():
                return self._thinking(part)

    def _tool_result(self, part: ToolResult) -> Block:
        content = [block for inner in part.parts for block in self._bare_blocks(inner)]
        result: Block = {"toolUseId": call_id(part.call_id)}
        if part.is_error and self._model.marks_tool_errors:
            result["status"] = "error"
        elif part.is_error:
            content = [{"text": "ERROR:"}, *content]
        result["content"] = content or [{"text": _NOTHING_SAID}]
        return result

    def _thinking(self, part: Thinking | Redacted) -> list[Block]:
        if not is_own(part, self._model):
            return []
        if isinstance(part, Redacted):
            return [{"reasoningContent": {"redactedContent": part.data}}]
        said = {"text": part.text, "signature": part.signature}
        return [{"reasoningContent": {"reasoningText": said}}]


def cache_points(mark: CacheMark | None, model: Model, dropped: Dropped) -> list[Block]:
    """The block that asks for the prompt up to here to be cached, where the model does that."""
    if mark is None:
        return []
    if not model.caches:
        dropped.add("cache_control")
        return []
    point = {"type": "default"}
    if mark == "1h":
        point["ttl"] = mark
    return [{"cachePoint": point}]


def call_id(given: str) -> str:
    """The id of a tool call in Bedrock's alphabet: the same for the same one, without a memory."""
    return given if _CALL_ID.match(given) else f"call_{sha256(given.encode()).hexdigest()[:24]}"


def tool_name(given: str) -> str:
    """The name itself. Raises `Untranslatable` for one that Bedrock does not take."""
    if not _TOOL_NAME.match(given):
        raise Untranslatable(
            "the provider takes tool names of 64 letters, digits, _ and -", "tools"
        )
    return given


def _tool_use(part: ToolCall) -> Block:
    return {
        "toolUseId": call_id(part.id),
        "name": tool_name(part.name),
        "input": _arguments(part.arguments),
    }


def _arguments(text: str) -> dict[str, Any]:
    """The arguments as an object; a model's broken JSON is told as it was."""
    try:
        parsed = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else {"_raw": text}


def _named(name: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks of one among several users, who is named before the first text."""
    named = list(blocks)
    for index, block in enumerate(named):
        if "text" in block:
            named[index] = {"text": f"{name}: {block['text']}"}
            break
    return named


def _ordered(blocks: list[Block]) -> list[Block]:
    """Results of tools first, with their cache points, and never nothing."""
    results: list[Block] = []
    others: list[Block] = []
    for block in blocks:
        after_result = "cachePoint" in block and results and not others
        (results if "toolResult" in block or after_result else others).append(block)
    needs_text = not blocks or any("document" in block for block in others)
    if needs_text and not any("text" in block for block in others):
        others.append({"text": _NOTHING_SAID})
    return [*results, *others]
