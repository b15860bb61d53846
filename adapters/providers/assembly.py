"""One choice of a streamed chat completion, put together from its deltas."""

from typing import Any

_TEXTS = frozenset({"content", "refusal", "reasoning", "reasoning_content"})


class Choice:
    """Grows by deltas; `finish_reason` is None until the provider gives one."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._texts: dict[str, list[str]] = {}
        self._fields: dict[str, Any] = {}
        self._tool_calls: list[dict[str, Any]] = []
        self._tool_places: dict[int, int] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def add(self, choice: dict[str, Any]) -> None:
        """Takes one chunk's part; raises `TypeError` or `AttributeError` when it makes no sense."""
        for name, value in (choice.get("delta") or {}).items():
            if name in _TEXTS and value is not None:
                texts = self._texts.get(name)
                if texts is None:
                    texts = self._texts[name] = []
                texts.append(_text(value))
            elif name == "tool_calls":
                for call in value or ():
                    self._add_tool_call(call)
            elif isinstance(value, list):
                self._fields.setdefault(name, []).extend(value)
            elif value is not None:
                self._fields[name] = value
        if logprobs := choice.get("logprobs"):
            for name, tokens in logprobs.items():
                self._logprobs.setdefault(name, []).extend(tokens or ())
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def whole(self, index: int) -> dict[str, Any]:
        """The choice as a whole reply has it."""
        message: dict[str, Any] = {"role": "assistant", "content": None, **self._fields}
        message |= {name: "".join(parts) for name, parts in self._texts.items()}
        if self._tool_calls:
            message["tool_calls"] = self._tool_calls
            message["content"] = message["content"] or None
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs or None,
            "finish_reason": self.finish_reason,
        }

    def _add_tool_call(self, delta: dict[str, Any]) -> None:
        call = self._tool_call(delta)
        call["type"] = delta.get("type") or call["type"]
        function = delta.get("function") or {}
        # Some providers repeat the name with every fragment; OpenAI sends it once.
        call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
        call["function"]["arguments"] += _text(function.get("arguments") or "")

    def _tool_call(self, delta: dict[str, Any]) -> dict[str, Any]:
        """The call that a delta goes on with; a new id starts a new one, whatever its index."""
        index, call_id = delta.get("index"), delta.get("id")
        place = self._tool_places.get(index) if index is not None else len(self._tool_calls) - 1
        if place is not None and place >= 0:
            call = self._tool_calls[place]
            if not call_id or call["id"] in ("", call_id):
                call["id"] = call["id"] or call_id or ""
                return call
        call = {"id": call_id or "", "type": "function", "function": {"name": "", "arguments": ""}}
        if index is not None:
            self._tool_places[index] = len(self._tool_calls)
        self._tool_calls.append(call)
        return call


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text fragment must be a string")
    return value
