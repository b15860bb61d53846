"""A canonical request as a responses request.

Model, `stream` and `store` are the provider adapter's.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.dialects.canonical import (
    OutputFormat,
    Part,
    Redacted,
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
from domain.dialects.chat.writing import effort_of_budget
from domain.dialects.leaving_out import unless_default, without_extras
from domain.dialects.responses.content import written_content

# What this wire has under the caller's name for it in most wires.
_AS_THEY_ARE = ("max_output_tokens", "temperature", "top_p", "user")
# What only tunes an answer and has no place here.
_TUNING = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "top_k")
# Extras of other endpoints that this wire knows too, in the same form.
_CARRIED = ("prompt_cache_key", "prompt_cache_retention")
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def write_request(request: Request) -> Written:
    """The body; what is left out is named by its canonical field. Raises `Untranslatable`."""
    if request.choices > 1:
        raise Untranslatable("the provider gives one choice a request", "choices")
    if request.stop:
        raise Untranslatable("the provider takes no stop sequences", "stop")
    body: dict[str, Any] = {"input": [item for turn in request.turns for item in _turn(turn)]}
    if request.system:
        body["instructions"] = "\n\n".join(text.text for text in request.system)
    for name in _AS_THEY_ARE:
        if (value := getattr(request, name)) is not None:
            body[name] = value
    body |= _tools(request)
    body |= _reasoning(request)
    if text := _text(request):
        body["text"] = text
    extras = [name for name in without_extras(request) if name not in _CARRIED]
    body |= {name: request.extras[name] for name in _CARRIED if name in request.extras}
    tuning = (one for name in _TUNING for one in unless_default(name, getattr(request, name)))
    return Written(body=body, dropped=(*tuning, *extras))


def _turn(turn: Turn) -> Iterator[dict[str, Any]]:
    if turn.role == "assistant":
        yield from _assistant(turn.parts)
        return
    said: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            yield _result(part)
        else:
            said.append(part)
    if said:
        role = "developer" if turn.role == "system" else "user"
        yield {"type": "message", "role": role, "content": written_content(said)}


def _result(result: ToolResult) -> dict[str, Any]:
    parts = list(result.parts)
    if result.is_error:
        parts.insert(0, Text("ERROR:"))
    if all(isinstance(part, Text) for part in parts):
        output: Any = "\n".join(part.text for part in parts if isinstance(part, Text))
    else:
        output = written_content(parts)
    return {"type": "function_call_output", "call_id": result.call_id, "output": output}


def _assistant(parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """Earlier answers; reasoning goes along only where OpenAI can decrypt it."""
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text) if text:
                content = [{"type": "output_text", "text": text}]
                yield {"type": "message", "role": "assistant", "content": content}
            case ToolCall():
                called = {"call_id": part.id, "name": part.name}
                yield {"type": "function_call", **called, "arguments": part.arguments or "{}"}
            case Thinking(signature=str() as encrypted, vendor="openai"):
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                yield {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}
            case Redacted(data=encrypted, vendor="openai"):
                yield {"type": "reasoning", "summary": [], "encrypted_content": encrypted}
            case _:
                pass


def _tools(request: Request) -> dict[str, Any]:
    if not request.tools:
        return {}
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if request.tool_choice is not None:
        fields["tool_choice"] = _choice(request.tool_choice)
    if request.parallel_tools is not None:
        fields["parallel_tool_calls"] = request.parallel_tools
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    written["parameters"] = tool.schema or _NO_PARAMETERS
    # Said in full: what no word means is another thing here than in other wires.
    written["strict"] = bool(tool.strict)
    return written


def _choice(choice: ToolChoice) -> Any:
    if not choice.names:
        return choice.mode
    tools = [{"type": "function", "name": name} for name in choice.names]
    if len(tools) == 1 and choice.mode == "required":
        return tools[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}


def _reasoning(request: Request) -> dict[str, Any]:
    effort = request.effort
    if effort is None and request.thinking_budget is not None:
        effort = effort_of_budget(request.thinking_budget)
    fields: dict[str, Any] = {}
    if effort is not None:
        fields["effort"] = effort
    if request.show_thinking:
        fields["summary"] = "auto"
    return {"reasoning": fields} if fields else {}


def _text(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if request.output is not None and request.output.kind != "text":
        fields["format"] = _format(request.output)
    if request.verbosity is not None:
        fields["verbosity"] = request.verbosity
    return fields


def _format(output: OutputFormat) -> dict[str, Any]:
    if output.kind != "json_schema":
        return {"type": output.kind}
    written: dict[str, Any] = {
        "type": "json_schema",
        "name": output.name or "answer",
        "schema": output.schema or {},
    }
    if output.description is not None:
        written["description"] = output.description
    if output.strict is not None:
        written["strict"] = output.strict
    return written
