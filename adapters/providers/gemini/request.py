"""A canonical request as the body of `generateContent`."""

from typing import Any

from adapters.providers.gemini.contents import Contents
from adapters.providers.gemini.schema import cleaned
from adapters.providers.gemini.thinking import thinking_config
from adapters.providers.gemini.tools import calling_config, declarations, offered
from adapters.providers.gemini.traits import Traits, traits_of
from domain.dialects.canonical import Image, OutputFormat, Request, Untranslatable, Written

_MAX_CHOICES = 8
_MAX_STOPS = 5
_INT32 = range(-(2**31), 2**31)
_UNSUPPORTED = ("logprobs", "top_logprobs", "verbosity", "user")
# Leaving these out would give another answer than the caller asked for.
_MEANINGFUL = frozenset(
    {"audio", "container", "conversation", "mcp_servers", "modalities", "previous_response_id",
     "prompt", "web_search_options"}
)  # fmt: skip
# Values that ask for nothing.
_IDLE: tuple[Any, ...] = (None, False, [], {}, "", ["text"])


def write_request(
    request: Request, native_id: str, *, limit: int | None = None, vertex: bool = False
) -> Written:
    """The body for the model `native_id`, which puts out at most `limit` tokens.

    `dropped` names canonical fields, and extras by the caller's names. Raises `Untranslatable`.
    """
    traits = traits_of(native_id)
    contents = Contents(traits, vertex=vertex)
    in_talk = () if traits.system else request.system
    body: dict[str, Any] = {"contents": contents.written(in_talk, request.turns)}
    dropped = contents.dropped
    if traits.system and (system := contents.texts(request.system)):
        body["systemInstruction"] = {"parts": system}
    _tools(request, traits, body, dropped)
    config = {
        **_sampling(request, limit, dropped),
        **_output(request, traits),
        **_resolution(request),
    }
    if thinking := thinking_config(request, traits, dropped):
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    _leave_out(request, dropped)
    return Written(body=body, dropped=tuple(dropped))


def _tools(
    request: Request, traits: Traits, body: dict[str, Any], dropped: dict[str, None]
) -> None:
    if any(tool.cache for tool in request.tools):
        dropped["cache_control"] = None
    if request.parallel_tools is False and request.tools:
        dropped["parallel_tools"] = None
    tools = offered(request.tools, request.tool_choice)
    if not tools:
        return
    body["tools"] = [{"functionDeclarations": declarations(tools, traits)}]
    choice = request.tool_choice
    config = calling_config(choice) if choice else {"mode": "AUTO"}
    if config["mode"] == "AUTO" and any(tool.strict for tool in tools):
        if traits.schema_answers and all(tool.strict for tool in tools):
            # Free to call or to speak, but what is called fits its schema.
            config["mode"] = "VALIDATED"
        else:
            dropped["strict"] = None
    if choice or config["mode"] != "AUTO":
        body["toolConfig"] = {"functionCallingConfig": config}


def _sampling(request: Request, limit: int | None, dropped: dict[str, None]) -> dict[str, Any]:
    if request.choices > _MAX_CHOICES:
        raise Untranslatable(f"Gemini gives up to {_MAX_CHOICES} choices", "choices")
    if len(request.stop) > _MAX_STOPS:
        raise Untranslatable(f"Gemini takes up to {_MAX_STOPS} stop sequences", "stop")
    given = {
        "maxOutputTokens": _limited(request.max_output_tokens, limit, dropped),
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": list(request.stop) or None,
        "candidateCount": request.choices if request.choices > 1 else None,
        "seed": request.seed,
        # No penalty is what no word means, and some models refuse the word.
        "presencePenalty": request.presence_penalty or None,
        "frequencyPenalty": request.frequency_penalty or None,
    }
    if request.seed is not None and request.seed not in _INT32:
        del given["seed"]
        dropped["seed"] = None
    return {name: value for name, value in given.items() if value is not None}


def _limited(asked: int | None, limit: int | None, dropped: dict[str, None]) -> int | None:
    if asked is None or limit is None or asked <= limit:
        return asked
    dropped["max_output_tokens"] = None
    return limit


def _output(request: Request, traits: Traits) -> dict[str, Any]:
    output = request.output
    if output is None or output.kind == "text":
        return {}
    if request.tools and not traits.answers_with_tools:
        raise Untranslatable("the model forms its answer only without tools", "output")
    return {"responseMimeType": "application/json", **_answer_schema(output, traits)}


def _answer_schema(output: OutputFormat, traits: Traits) -> dict[str, Any]:
    if output.kind != "json_schema" or not output.schema:
        return {}
    if traits.schema_answers:
        return {"responseJsonSchema": output.schema}
    return {"responseSchema": cleaned(output.schema)}


def _resolution(request: Request) -> dict[str, Any]:
    """One resolution for all media: the highest that an image asks for."""
    details = {
        part.detail for turn in request.turns for part in turn.parts if isinstance(part, Image)
    }
    for detail in ("high", "low"):
        if detail in details:
            return {"mediaResolution": f"MEDIA_RESOLUTION_{detail.upper()}"}
    return {}


def _leave_out(request: Request, dropped: dict[str, None]) -> None:
    for field in _UNSUPPORTED:
        if getattr(request, field) not in _IDLE:
            dropped[field] = None
    for name, value in request.extras.items():
        if value in _IDLE:
            continue
        if name in _MEANINGFUL:
            raise Untranslatable(f"Gemini has no {name}", name)
        dropped[name] = None
