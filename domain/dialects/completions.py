"""OpenAI's old completions: a prompt in and text out, as a dialogue of one turn.

No model of today continues a text in this wire, so every offer is asked the prompt as a user would.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.canonical import Answer, Choice, Refusal, Request, Text, Turn
from domain.dialects.chat.answers import usage_object, without_provider_fields
from domain.dialects.fields import integer, invalid, number, optional, required, text, texts
from domain.dialects.pieces import Finished, Piece, RefusalDelta, TextDelta, UsageReported
from domain.dialects.surface import Body, Delta, Head, Outgoing, Renderer
from domain.errors import InvalidRequest
from domain.inference.events import Usage
from domain.rating.estimate import Told, told_in

# What OpenAI documents for a request that names no limit.
DEFAULT_MAX_TOKENS = 16
# Values that ask for nothing beyond a plain completion.
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "logprobs": (),
    "suffix": ("",),
}
_KNOWN = frozenset(
    {
        *_NOTHING,
        "model",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "user",
    }
)


class CompletionsSurface:
    """See `domain.dialects.surface.Surface`."""

    def read(self, body: Mapping[str, Any]) -> Request:
        for name, plain in _NOTHING.items():
            if body.get(name) is not None and body[name] not in plain:
                raise _unsupported(name, "no model of today takes it")
        limit = optional(body, "max_tokens", integer)
        stop = body.get("stop")
        return Request(
            turns=(Turn("user", (Text(_prompt(body)),)),),
            max_output_tokens=DEFAULT_MAX_TOKENS if limit is None else limit,
            temperature=optional(body, "temperature", number),
            top_p=optional(body, "top_p", number),
            stop=() if stop is None else (stop,) if isinstance(stop, str) else texts(stop, "stop"),
            choices=_choices(body),
            seed=optional(body, "seed", integer),
            presence_penalty=optional(body, "presence_penalty", number),
            frequency_penalty=optional(body, "frequency_penalty", number),
            user=optional(body, "user", text),
            extras={n: v for n, v in body.items() if n not in _KNOWN and v is not None},
        )

    def renderer(self) -> Renderer:
        return _Renderer()

    def whole(self, answer: Answer) -> Body:
        return {"choices": [_written(index, one) for index, one in enumerate(answer.choices)]}

    def is_content(self, delta: Delta) -> bool:
        return any(choice.get("text") for choice in delta["choices"])

    def is_whole(self, request: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        return bool(body.get("choices"))

    def finished(self, body: Body, head: Head, usage: Usage) -> Body:
        shown = {**without_provider_fields(body), **_head(head)}
        shown["usage"] = usage_object(usage)
        return shown

    def outgoing(self, request: Mapping[str, Any], head: Head) -> Outgoing:
        return _Outgoing(request, head)

    def replayed(self, body: Body) -> Sequence[Delta]:
        return [{"choices": [choice]} for choice in body["choices"]]

    def added(self, delta: Delta) -> Told:
        return told_in([choice["text"] for choice in delta["choices"]])

    def put_out(self, body: Mapping[str, Any]) -> Told:
        return self.added({"choices": body["choices"]})


def _prompt(body: Mapping[str, Any]) -> str:
    match required(body, "prompt", lambda value, _: value):
        case str() as prompt:
            return prompt
        case [str() as prompt]:
            return prompt
        case [str(), *_]:
            raise _unsupported("prompt", "send one request for each prompt")
        case list():
            raise _unsupported("prompt", "token ids mean something to one model alone; send text")
        case _:
            raise invalid("prompt", "must be a string")


def _choices(body: Mapping[str, Any]) -> int:
    asked = optional(body, "n", integer)
    if asked is not None and asked < 1:
        raise invalid("n", "must be at least 1")
    return asked or 1


def _unsupported(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {why}", code="unsupported_parameter", param=param)


def _head(head: Head) -> dict[str, Any]:
    return {
        "id": head.id,
        "object": "text_completion",
        "created": head.created,
        "model": head.model,
    }


def _written(index: int, choice: Choice) -> dict[str, Any]:
    # Reasoning has no place in this wire.
    told = "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal))
    return _choice(index, told, choice.finish)


def _choice(index: int, told: str, finish: str | None = None) -> dict[str, Any]:
    reason = "stop" if finish == "tool_calls" else finish
    return {"text": told, "index": index, "logprobs": None, "finish_reason": reason}


class _Renderer:
    """See `domain.dialects.surface.Renderer`."""

    def deltas(self, piece: Piece) -> Sequence[Delta]:
        match piece:
            case UsageReported():
                return ()
            case TextDelta(text=told) | RefusalDelta(text=told):
                return ({"choices": [_choice(piece.choice, told)]},)
            case Finished(reason=reason):
                return ({"choices": [_choice(piece.choice, "", reason)]},)
            case _:
                return ()


class _Outgoing:
    """A streamed completion; the chunks that tell a finish reason are kept to the end."""

    def __init__(self, request: Mapping[str, Any], head: Head) -> None:
        options = request.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._head = _head(head)
        self._kept: list[Delta] = []

    def opening(self) -> Sequence[Delta]:
        return ()

    def shown(self, delta: Delta) -> Sequence[Delta]:
        told = []
        for choice in delta["choices"]:
            if choice.get("finish_reason"):
                self._kept.append(self._chunk([{**choice, "text": ""}]))
            if choice["text"]:
                told.append({**choice, "finish_reason": None})
        return (self._chunk(told),) if told else ()

    def closing(self, usage: Usage) -> Sequence[Delta]:
        if not self._wants_usage:
            return self._kept
        return [*self._kept, {**self._head, "choices": [], "usage": usage_object(usage)}]

    def _chunk(self, choices: Sequence[Mapping[str, Any]]) -> Delta:
        chunk = {**self._head, "choices": choices}
        return {**chunk, "usage": None} if self._wants_usage else chunk
