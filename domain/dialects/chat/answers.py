"""What a chat completion answers: checked, shown under our name, and nothing else in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.dialects.surface import Body, Delta, Head
from domain.inference.events import Usage
from domain.rating.estimate import Told, told_in

# What a provider adds for itself; fields that begin with `x_` go too.
PROVIDER_FIELDS = frozenset(
    {
        "kv_transfer_params",
        "nvext",
        "obfuscation",
        "prompt_logprobs",
        "prompt_token_ids",
        "provider",
        "provider_name",
        "system_fingerprint",
        "time_info",
        "timings",
    }
)
_CONTENT = (
    "content",
    "tool_calls",
    "function_call",
    "refusal",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "audio",
    "images",
)


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether `body` is a complete chat completion."""
    choices = body.get("choices")
    return isinstance(choices, list) and bool(choices) and all(map(_choice_is_whole, choices))


def _choice_is_whole(choice: object) -> bool:
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return False
    calls = choice["message"].get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        return False
    # An empty message is an answer when the model says that it has ended; "error" says it broke.
    return choice.get("finish_reason") != "error" and (
        bool(choice.get("finish_reason")) or any(map(choice["message"].get, _CONTENT))
    )


def is_content(delta: Delta) -> bool:
    """Whether a chunk holds some of the answer."""
    return any(
        any(map((choice.get("delta") or {}).get, _CONTENT)) for choice in delta.get("choices") or ()
    )


def without_provider_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are the customer's."""
    return {
        name: value
        for name, value in fields.items()
        if name not in PROVIDER_FIELDS and not name.startswith("x_")
    }


def finished(body: Body, head: Head, usage: Usage) -> Body:
    """The completion under our id and model, with the usage that is charged."""
    shown = without_provider_fields(body)
    shown["id"], shown["object"], shown["created"] = head.id, "chat.completion", head.created
    shown["model"] = head.model
    shown["usage"] = usage_object(usage)
    return shown


def usage_object(usage: Usage) -> dict[str, Any]:
    """Usage as OpenAI's chat completions tell it."""
    prompt: dict[str, Any] = {"cached_tokens": usage.cached_input_tokens}
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    if written:
        prompt["cache_write_tokens"] = written
    completion: dict[str, Any] = {"reasoning_tokens": usage.reasoning_tokens}
    if usage.input_audio_tokens:
        prompt["audio_tokens"] = usage.input_audio_tokens
    if usage.output_audio_tokens:
        completion["audio_tokens"] = usage.output_audio_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }


def added(delta: Delta) -> Told:
    """What a chunk adds."""
    told = [choice.get("delta") for choice in delta.get("choices") or ()]
    if len(told) == 1 and told[0] and len(told[0]) == 1:  # most chunks: a word, and nothing else
        word = told[0].get("content")
        if isinstance(word, str):
            return Told((word,))
    return told_in(told)


def put_out(body: Mapping[str, Any]) -> Told:
    """The messages."""
    return told_in([choice["message"] for choice in body["choices"]])


class OutgoingChat:
    """A streamed completion; the chunks that tell a finish reason are kept to the end."""

    def __init__(self, request: Mapping[str, Any], head: Head) -> None:
        options = request.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._head: dict[str, Any] = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
        }
        # The last word on each choice, by its index.
        self._kept: dict[int, Delta] = {}
        # The fields of the last chunk, and those of them that are the provider's own.
        self._fields: frozenset[str] = frozenset()
        self._left_out: tuple[str, ...] = ()

    def opening(self) -> Sequence[Delta]:
        return ()

    def shown(self, delta: Delta) -> Sequence[Delta]:
        choices = delta.get("choices") or []
        ends = [choice for choice in choices if choice.get("finish_reason")]
        if ends:
            for end in map(_end_of, ends):
                self._kept[end["index"]] = self._chunk(delta, [end])
            choices = [{**choice, "finish_reason": None} for choice in choices]
            choices = [choice for choice in choices if choice.get("delta")]
            if not choices:
                return ()
        return (self._chunk(delta, choices),)

    def closing(self, usage: Usage) -> Sequence[Delta]:
        kept = list(self._kept.values())
        if self._wants_usage:
            kept = [*kept, {**self._head, "choices": [], "usage": usage_object(usage)}]
        return kept

    def _chunk(self, delta: Delta, choices: Sequence[Mapping[str, Any]]) -> Delta:
        if delta.keys() != self._fields:  # they hardly ever change within an answer
            self._fields = frozenset(delta)
            kept = without_provider_fields(delta)
            self._left_out = tuple(name for name in delta if name not in kept or name == "usage")
        shown = {**delta, **self._head, "choices": choices}
        for name in self._left_out:
            del shown[name]
        if self._wants_usage:
            shown["usage"] = None
        return shown


def _end_of(choice: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": choice.get("index") or 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": choice["finish_reason"],
    }


def replayed(body: Body) -> Sequence[Delta]:
    """A finished completion as the chunks of a stream."""
    return [_replayed(choice) for choice in body["choices"]]


def _replayed(choice: Mapping[str, Any]) -> Delta:
    message = dict(choice["message"])
    if message.get("tool_calls"):
        message["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(message["tool_calls"])
        ]
    told = {name: choice[name] for name in ("index", "finish_reason", "logprobs") if name in choice}
    return {"choices": [{**told, "delta": message}]}
