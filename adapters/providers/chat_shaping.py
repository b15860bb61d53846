"""A chat request as a provider with quirks takes it.

What only tunes the answer is left out and named; what would make it another answer is refused, so
that another offer can take the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from adapters.providers.chat_effort import told_effort
from adapters.providers.chat_quirks import ChatQuirks, LimitField, ModelQuirks
from domain.dialects.canonical import Untranslatable

_LIMITS: Final[tuple[LimitField, LimitField]] = ("max_completion_tokens", "max_tokens")
# Leaving these out would change the answer itself.
_MEANINGFUL = frozenset(
    {
        "audio",
        "function_call",
        "functions",
        "modalities",
        "n",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
        "web_search_options",
    }
)
# A value that asks for nothing beyond the default need not be told when it is left out.
_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "temperature": (1,),
    "top_p": (1,),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "stop": ([], ""),
    "tools": ([],),
    "tool_choice": ("auto", "none"),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "store": (False,),
}
_CALL_ID_LENGTH = 9
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Shaping:
    """One request on its way into the provider's form; `body` is ours to change at its top."""

    body: dict[str, Any]
    quirks: ChatQuirks
    dropped: list[str]

    def leave_out(self, name: str) -> None:
        """Takes a parameter out. Raises `Untranslatable` where that would change the answer."""
        if name not in self.body:
            return
        value = self.body[name]
        if value is not None and value not in _DEFAULTS.get(name, ()):
            if name in _MEANINGFUL:
                raise Untranslatable(f"the provider does not take {name}", name)
            self.dropped.append(name)
        del self.body[name]


def shaped(
    body: dict[str, Any], quirks: ChatQuirks, native_id: str, model_limit: int | None
) -> tuple[str, ...]:
    """Brings `body` (changed at its top level alone) into the provider's form.

    Gives the names of what was left out. Raises `Untranslatable`.
    """
    model = quirks.of_model(native_id)
    shaping = Shaping(body, quirks, [])
    _refuse(shaping, model)
    _limit(shaping, (model and model.limit) or quirks.limit, model_limit)
    _bounds(shaping)
    if quirks.effort is not None and not told_effort(body, quirks.effort):
        shaping.dropped.append("reasoning_effort")
    _tool_choice(shaping)
    _forms(shaping)
    for name, other in quirks.renames.items():
        if name in body:
            body[other] = body.pop(name)
    return tuple(shaping.dropped)


def shaped_embedding(body: dict[str, Any], quirks: ChatQuirks) -> tuple[str, ...]:
    """The same for a request for embeddings."""
    shaping = Shaping(body, quirks, [])
    _refuse(shaping, None)
    if not quirks.float_encoding and body.get("encoding_format") == "float":
        del body["encoding_format"]  # it is what no word means
    return tuple(shaping.dropped)


def _refuse(shaping: Shaping, model: ModelQuirks | None) -> None:
    for name in shaping.quirks.refuses:
        shaping.leave_out(name)
    if model is None:
        return
    for name in model.refuses:
        shaping.leave_out(name)
    if shaping.body.get("reasoning_effort") != "none":
        for name in model.thinks:
            shaping.leave_out(name)


def _limit(shaping: Shaping, wanted: LimitField | None, most: int | None) -> None:
    """Sends one limit, under the name that is `wanted`; `most` is the model's own."""
    body, quirks = shaping.body, shaping.quirks
    name = next((name for name in _LIMITS if body.get(name) is not None), None)
    limit = body[name] if name else (most if quirks.always_limit else None)
    if name and quirks.clamps_limit and most is not None and isinstance(limit, int):
        if limit > most:
            shaping.dropped.append(name)
        limit = min(limit, most)
    sent = wanted or name or "max_tokens"
    for one in _LIMITS:
        body.pop(one, None)
    if limit is not None:
        body[sent] = limit


def _bounds(shaping: Shaping) -> None:
    body, quirks = shaping.body, shaping.quirks
    temperature = body.get("temperature")
    if quirks.temperature is not None and isinstance(temperature, int | float):
        low, high = quirks.temperature
        taken = min(max(temperature, low), high)
        if taken != temperature:
            body["temperature"] = taken
            shaping.dropped.append("temperature")
    if quirks.max_choices is not None:
        _at_most(body.get("n"), quirks.max_choices, "n")
    stops = body.get("stop")
    if quirks.max_stops is not None and isinstance(stops, list):
        _at_most(len(stops), quirks.max_stops, "stop")


def _at_most(given: Any, most: int, name: str) -> None:
    if isinstance(given, int) and given > most:
        raise Untranslatable(f"the provider takes {name} up to {most}", name)


def _tool_choice(shaping: Shaping) -> None:
    body, quirks = shaping.body, shaping.quirks
    choice = body.get("tool_choice")
    if choice is None:
        return
    mode = choice if isinstance(choice, str) else "named"
    if quirks.tool_choice is not None and mode not in quirks.tool_choice:
        if mode == "auto":
            del body["tool_choice"]  # it is what no choice means
            return
        if mode == "none":
            # Without the tools none can be called.
            del body["tool_choice"]
            body.pop("tools", None)
            return
        raise Untranslatable(f"the provider does not take tool_choice {mode!r}", "tool_choice")
    if mode == "required" and quirks.any_tool:
        body["tool_choice"] = quirks.any_tool


def _forms(shaping: Shaping) -> None:
    body, quirks = shaping.body, shaping.quirks
    output = body.get("response_format")
    if not quirks.json_object and isinstance(output, dict) and output.get("type") == "json_object":
        raise Untranslatable("the provider takes no json_object", "response_format")
    if not quirks.strict_tools and isinstance(body.get("tools"), list):
        body["tools"] = [_not_strict(tool) for tool in body["tools"]]
    if quirks.messages and isinstance(body.get("messages"), list):
        body["messages"] = [
            _message(one, quirks.messages) if isinstance(one, dict) else one
            for one in body["messages"]
        ]


def _not_strict(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or "strict" not in function:
        return tool
    return {**tool, "function": {name: one for name, one in function.items() if name != "strict"}}


def _message(message: Mapping[str, Any], forms: Sequence[str]) -> dict[str, Any]:
    shaped = dict(message)
    if "no_nulls" in forms:
        shaped = {name: value for name, value in shaped.items() if value is not None}
    if "no_names" in forms:
        shaped.pop("name", None)
    if "plain_text" in forms and "content" in shaped:
        shaped["content"] = _plain(shaped.get("content"))
    if "short_call_ids" in forms:
        _shorten_call_ids(shaped)
    return shaped


def _plain(content: Any) -> Any:
    """Text alone as one string; anything with an image or a file stays a list."""
    if not isinstance(content, list):
        return content
    texts = [
        part.get("text")
        for part in content
        if isinstance(part, dict) and part.get("type") == "text"
    ]
    if len(texts) != len(content) or not all(isinstance(text, str) for text in texts):
        return content
    return "\n".join(text for text in texts if isinstance(text, str))


def _shorten_call_ids(message: dict[str, Any]) -> None:
    if isinstance(message.get("tool_call_id"), str):
        message["tool_call_id"] = short_call_id(message["tool_call_id"])
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [
            {**call, "id": short_call_id(call["id"])}
            if isinstance(call, dict) and isinstance(call.get("id"), str)
            else call
            for call in message["tool_calls"]
        ]


def short_call_id(call_id: str) -> str:
    """A tool call's id as nine letters and digits; the same id always gives the same."""
    if len(call_id) == _CALL_ID_LENGTH and call_id.isascii() and call_id.isalnum():
        return call_id
    number = int.from_bytes(sha256(call_id.encode()).digest()[:8])
    return "".join(_BASE62[number // 62**place % 62] for place in range(_CALL_ID_LENGTH))
