"""A canonical request as the body of `generateContent`."""

from dataclasses import replace
from typing import Any

from adapters.providers.gemini.contents import Contents
from adapters.providers.gemini.schema import cleaned
from adapters.providers.gemini.thinking import thinking_config
from adapters.providers.gemini.tools import calling_config, declarations, offered
from adapters.providers.gemini.traits import Traits, traits_of
from adapters.providers.target import Dropped, Target, leave_out, output_limit
from domain.dialects.canonical import Image, OutputFormat, Request, Untranslatable, Written

_MAX_CHOICES = 8
_MAX_STOPS = 5
_INT32 = range(-(2**31), 2**31)
_CARRIED = frozenset({"seed", "presence_penalty", "frequency_penalty"})


def write_request(request: Request, target: Target, *, vertex: bool = False) -> Written:
    """The body for the target's model.

    `dropped` names canonical fields, and extras by the caller's names. Raises `Untranslatable`.
    """
    traits = traits_of(target.native_id)
    contents = Contents(traits, vertex=vertex)
    in_talk = () if traits.system else request.system
    body: dict[str, Any] = {"contents": contents.written(in_talk, request.turns)}
    dropped = contents.dropped
    if traits.system and (system := contents.texts(request.system)):
        body["systemInstruction"] = {"parts": system}
    _tools(request, traits, body, dropped)
    config = {
        **_sampling(request, target, dropped),
        **_output(request, traits),
        **_resolution(request),
    }
    if thinking := thinking_config(request, traits, dropped):
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    one = request if request.choices == 1 else replace(request, choices=1)
    leave_out(one, dropped, _CARRIED)
    return Written(body=body, dropped=tuple(dropped.names))


def _tools(request: Request, traits: Traits, body: dict[str, Any], dropped: Dropped) -> None:
    if any(tool.cache for tool in request.tools):
        dropped.add("cache_control")
    if request.parallel_tools is False and request.tools:
        dropped.add("parallel_tools")
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
            dropped.add("strict")
    if choice or config["mode"] != "AUTO":
        body["toolConfig"] = {"functionCallingConfig": config}


def _sampling(request: Request, target: Target, dropped: Dropped) -> dict[str, Any]:
    if request.choices > _MAX_CHOICES:
        raise Untranslatable(f"Gemini gives up to {_MAX_CHOICES} choices", "choices")
    if len(request.stop) > _MAX_STOPS:
        raise Untranslatable(f"Gemini takes up to {_MAX_STOPS} stop sequences", "stop")
    given = {
        "maxOutputTokens": output_limit(request, target, dropped),
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
        dropped.add("seed")
    return {name: value for name, value in given.items() if value is not None}


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
