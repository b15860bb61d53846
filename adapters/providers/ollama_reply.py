"""Reading what an Ollama server answers: one JSON object, or one a line."""

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from adapters.providers.failures import UNREADABLE, failure_of_error
from adapters.providers.replies import malformed
from adapters.providers.usage import MAX_TOKENS
from adapters.providers.vectors import vectors_body, wants_base64
from domain.dialects.canonical import FinishReason
from domain.dialects.pieces import (
    Finished,
    Piece,
    TextDelta,
    ThinkingDelta,
    ToolArguments,
    ToolStarted,
    UsageReported,
)
from domain.inference.events import Usage
from domain.ports.provider import ProviderCall, ProviderReply

_FINISHES: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class _Function(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Part(msgspec.Struct):
    """What both the chat and the embeddings routes answer; counts come with the last part."""

    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    embeddings: list[list[float]] | None = None
    error: Any = None


_DECODE = msgspec.json.Decoder(_Part).decode


class OllamaReader:
    """See `adapters.providers.translated.PieceReader`: a whole reply is a stream of one line."""

    def __init__(self) -> None:
        self._pending = b""
        self._calls = 0
        self.is_done = False

    def feed(self, part: bytes) -> Iterator[Piece]:
        *lines, self._pending = (self._pending + part).split(b"\n")
        for line in lines:
            if line.strip():
                yield from self._line(line)

    def end(self) -> Iterator[Piece]:
        yield from self.feed(b"\n")

    def _line(self, line: bytes) -> Iterator[Piece]:
        part = _part(line)
        if part.message is not None:
            yield from self._message(part.message)
        if part.done:
            yield from self._last(part)

    def _message(self, message: _Message) -> Iterator[Piece]:
        if message.thinking:
            yield ThinkingDelta(message.thinking)
        if message.content:
            yield TextDelta(message.content)
        for call in message.tool_calls or ():
            index, self._calls = self._calls, self._calls + 1
            # Most versions give no id; the caller needs one to answer with.
            call_id = call.id or f"call_{secrets.token_hex(12)}"
            yield ToolStarted(index=index, id=call_id, name=call.function.name)
            yield ToolArguments(index, bytes(call.function.arguments).decode())

    def _last(self, part: _Part) -> Iterator[Piece]:
        reason = _FINISHES.get(part.done_reason or "stop")
        if reason is None:
            raise malformed()  # the model was loaded or unloaded, and nothing was said
        self.is_done = True
        yield Finished("tool_calls" if self._calls and reason == "stop" else reason)
        counted = _counted(part)
        if counted is not None:
            yield UsageReported(*counted)


def read_vectors(call: ProviderCall, content: bytes) -> ProviderReply:
    """The reply to a request for embeddings. Raises `ProviderFailure`."""
    part = _part(content)
    if part.embeddings is None:
        raise malformed()
    body = vectors_body(part.embeddings, base64=wants_base64(call.body))
    usage, raw = _counted(part) or (None, None)
    return ProviderReply(body, usage, raw, None)


def _part(content: bytes) -> _Part:
    try:
        part = _DECODE(content)
    except UNREADABLE as error:
        raise malformed() from error
    if part.error:
        raise failure_of_error(part.error)
    return part


def _counted(part: _Part) -> tuple[Usage, str] | None:
    """The tokens; a server that has the prompt in its cache may leave its count out."""
    prompt, answer = part.prompt_eval_count, part.eval_count or 0
    if prompt is None or not (0 <= prompt <= MAX_TOKENS and 0 <= answer <= MAX_TOKENS):
        return None
    raw: dict[str, int] = {"prompt_eval_count": prompt}
    if part.eval_count is not None:
        raw["eval_count"] = answer
    usage = Usage(input_tokens=prompt, output_tokens=answer)
    return usage, msgspec.json.encode(raw).decode()
