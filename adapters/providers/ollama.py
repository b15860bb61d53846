"""The wire protocol `ollama`: the native chat and embeddings routes of an Ollama server.

Beside its OpenAI form it takes a JSON schema and levels of thinking, and reads what tools are
called by without loss.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from adapters.providers.caller_names import caller_name
from adapters.providers.credential import Credential
from adapters.providers.failures import UNREADABLE, failure_of_status
from adapters.providers.http import HttpRequest
from adapters.providers.ollama_reply import OllamaReader, read_vectors
from adapters.providers.replies import Reading
from adapters.providers.target import Dropped, Target, leave_out, output_limit
from adapters.providers.translated import TranslatedReading
from adapters.providers.vectors import VectorsReading, texts_of
from domain.dialects.canonical import (
    Effort,
    File,
    Image,
    OutputFormat,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Untranslatable,
    Written,
)
from domain.dialects.surfaces import SURFACES
from domain.ports.provider import ProviderCall, ProviderFailure

_EMBEDDINGS: Final = "/v1/embeddings"
_CARRIED = frozenset({"seed", "presence_penalty", "frequency_penalty"})
# The same server's other routes, which an address may name.
_OTHER_ROUTES = ("/v1", "/api")
# These models think at a level; all others think or do not.
_LEVELLED = "gpt-oss"
_LEVELS: Mapping[Effort, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


class OllamaWire:
    """See `adapters.providers.http.Wire`; `base_url` is the server's, without any route."""

    def __init__(self, base_url: str, credential: Credential | str | None = None) -> None:
        if not isinstance(credential, Credential):
            credential = Credential(credential)
        root = base_url.rstrip("/")
        for route in _OTHER_ROUTES:
            root = root.removesuffix(route)
        self._root = root
        self._headers = {"content-type": "application/json", **credential.headers()}
        self._encode = msgspec.json.Encoder().encode

    async def request(self, call: ProviderCall) -> HttpRequest:
        if call.endpoint == _EMBEDDINGS:
            return self._sent("embed", _written_embedding(call))
        written = write_request(SURFACES[call.endpoint].read(call.body), call)
        return self._sent("chat", written)

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        if call.endpoint == _EMBEDDINGS:
            return VectorsReading(partial(read_vectors, call))
        return TranslatedReading(call, OllamaReader())

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return failure_of_status(status, headers, content)

    def _sent(self, route: str, written: Written) -> HttpRequest:
        url = f"{self._root}/api/{route}"
        return HttpRequest(url, self._encode(written.body), self._headers, written.dropped)


def write_request(request: Request, call: ProviderCall) -> Written:
    """The request for `/api/chat`; `dropped` has the caller's names. Raises `Untranslatable`."""
    dropped = Dropped()
    leave_out(request, dropped, _CARRIED)
    if request.parallel_tools is False:
        dropped.add("parallel_tools")
    body: dict[str, Any] = {
        "model": call.native_id,
        "messages": list(_messages(request)),
        "stream": call.stream,
    }
    if tools := _tools(request.tools, request.tool_choice):
        body["tools"] = tools
    if (form := _format(request.output)) is not None:
        body["format"] = form
    if (think := _think(request, call, dropped)) is not None:
        body["think"] = think
    if options := _options(request, Target(call.native_id, call.max_output_tokens), dropped):
        body["options"] = options
    return Written(body=body, dropped=tuple(caller_name(call, name) for name in dropped.names))


def _written_embedding(call: ProviderCall) -> Written:
    body: dict[str, Any] = {"model": call.native_id, "input": texts_of(call.body)}
    if call.body.get("dimensions") is not None:
        body["dimensions"] = call.body["dimensions"]
    return Written(body=body, dropped=("user",) if call.body.get("user") else ())


def _options(request: Request, target: Target, dropped: Dropped) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_predict": output_limit(request, target, dropped),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "stop": list(request.stop) or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _tools(tools: tuple[Tool, ...], choice: ToolChoice | None) -> list[dict[str, Any]]:
    if choice is not None and choice.mode == "required":
        raise Untranslatable("the provider cannot be made to call a tool", "tool_choice")
    if choice is not None and choice.mode == "none":
        return []  # without tools none is called
    chosen = choice.names if choice else ()
    return [_tool(tool) for tool in tools if not chosen or tool.name in chosen]


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "parameters": tool.schema or {"type": "object", "properties": {}},
    }
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _format(output: OutputFormat | None) -> Any:
    if output is None or output.kind == "text":
        return None
    return output.schema if output.kind == "json_schema" and output.schema else "json"


def _think(request: Request, call: ProviderCall, dropped: Dropped) -> bool | str | None:
    if request.thinking_budget is not None:
        dropped.add("thinking_budget")
    effort: Effort | None = request.effort
    if effort is None:
        return None if request.thinking_budget is None else True
    if _LEVELLED in call.native_id.lower():
        if effort not in ("low", "medium", "high"):
            dropped.add("effort")
        return _LEVELS[effort]
    if effort != "none":
        dropped.add("effort")
    return effort != "none"


def _messages(request: Request) -> Iterator[dict[str, Any]]:
    if request.system:
        yield {"role": "system", "content": "\n\n".join(text.text for text in request.system)}
    names: dict[str, str] = {}
    for turn in request.turns:
        names.update({part.id: part.name for part in turn.parts if isinstance(part, ToolCall)})
        yield from _results(turn, names)
        rest = tuple(part for part in turn.parts if not isinstance(part, ToolResult))
        if rest:
            yield _message(turn, rest)


def _results(turn: Turn, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for part in turn.parts:
        if isinstance(part, ToolResult):
            content = _text(part.parts)
            yield {
                "role": "tool",
                "content": f"ERROR: {content}" if part.is_error else content,
                "tool_name": part.name or names.get(part.call_id, ""),
            }


def _message(turn: Turn, parts: tuple[Part, ...]) -> dict[str, Any]:
    said = _text(tuple(part for part in parts if not isinstance(part, Image)))
    message: dict[str, Any] = {
        "role": turn.role,
        "content": f"{turn.name}: {said}" if turn.name else said,
    }
    if images := [_image(part) for part in parts if isinstance(part, Image)]:
        message["images"] = images
    if thinking := "".join(part.text for part in parts if isinstance(part, Thinking)):
        message["thinking"] = thinking
    if calls := [_call(part) for part in parts if isinstance(part, ToolCall)]:
        message["tool_calls"] = calls
    return message


def _text(parts: tuple[Part, ...]) -> str:
    texts: list[str] = []
    for part in parts:
        match part:
            case Text() | Refusal():
                texts.append(part.text)
            case File(text=str(text)):
                texts.append(f"{part.name}:\n{text}" if part.name else text)
            case File():
                raise Untranslatable("the provider takes files as plain text alone", "messages")
            case Image():
                raise Untranslatable("the provider takes no images from tools", "messages")
            case _ if not isinstance(part, Thinking | ToolCall):
                raise Untranslatable(f"the provider takes no {type(part).__name__}", "messages")
    return "\n".join(texts)


def _image(image: Image) -> str:
    if image.data is None:
        raise Untranslatable("the provider takes images as base64 alone", "messages")
    return image.data


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        parsed = msgspec.json.decode(call.arguments) if call.arguments.strip() else {}
    except UNREADABLE:
        parsed = None
    # A model's broken JSON is told as it was.
    arguments = parsed if isinstance(parsed, dict) else {"_raw": call.arguments}
    return {"function": {"name": call.name, "arguments": arguments}}
