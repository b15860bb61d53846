"""A canonical request as a body of Converse."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.providers.bedrock.messages import Conversation, cache_points
from adapters.providers.bedrock.models import Model, model_of, top_k_field
from adapters.providers.bedrock.thinking import (
    Limits,
    ThinkingPlan,
    drop_thinking,
    plan_thinking,
)
from adapters.providers.bedrock.tools import ToolPlan, answer_tool, plan_tools
from adapters.providers.target import Dropped, Target, at_most, leave_out, output_limit
from domain.dialects.canonical import Request, Text, Untranslatable, Written
from domain.dialects.messages.betas import FIELD, label
from domain.dialects.messages.schema import output_schema

_ONE_OBJECT: Final = "Answer with one JSON object only."


def write_request(request: Request, target: Target) -> Written:
    """The body and what has no place in it. Raises `Untranslatable`."""
    model, dropped = model_of(target.native_id), Dropped()
    leave_out(request, dropped, tuple(map(label, model.betas)))
    by_tool = _answers_by_tool(request, model)
    thinking = _thinking(request, model, target, dropped, by_tool=by_tool)
    tools = answer_tool(request) if by_tool else plan_tools(
        request, model, dropped, thinks=thinking.thinks
    )  # fmt: skip
    body: dict[str, Any] = {"messages": _messages(request, model, dropped)}
    parts = {
        "system": _system(request, model, tools, dropped),
        "inferenceConfig": _inference(request, model, thinking, dropped),
        "toolConfig": tools.config,
        "outputConfig": _output(request, model, thinking),
        "additionalModelRequestFields": _own_fields(request, model, thinking, dropped),
    }
    body.update({name: value for name, value in parts.items() if value})
    if request.stop and model.vendor == "anthropic":
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    return Written(body=body, dropped=tuple(dropped.names))


def _thinking(
    request: Request, model: Model, target: Target, dropped: Dropped, *, by_tool: bool
) -> ThinkingPlan:
    limit = output_limit(request, target, dropped)
    if by_tool:
        # A model that thinks cannot be made to answer by a tool.
        wanted = request.thinking_budget or request.effort not in (None, "none")
        if wanted and model.reasoning != "none":
            drop_thinking(request, dropped)
        return ThinkingPlan(limit)
    return plan_thinking(request, model, Limits(limit, target.max_output_tokens), dropped)


def _answers_by_tool(request: Request, model: Model) -> bool:
    """Whether a tool must hold the answer to its schema. Raises `Untranslatable` if none can."""
    if request.output is None or request.output.kind != "json_schema":
        return False
    if model.schemas == "native":
        return False
    if model.schemas == "none" or request.tools:
        raise Untranslatable("the model cannot be held to a JSON schema here", "response_format")
    return True


def _messages(request: Request, model: Model, dropped: Dropped) -> list[dict[str, Any]]:
    conversation = Conversation(model, dropped)
    for turn in request.turns:
        conversation.add(turn)
    return conversation.messages()


def _system(
    request: Request, model: Model, tools: ToolPlan, dropped: Dropped
) -> Sequence[Mapping[str, Any]]:
    blocks: list[dict[str, Any]] = []
    texts = list(request.system)
    if tools.instruction:
        texts.append(Text(tools.instruction))
    if request.output is not None and request.output.kind == "json_object":
        texts.append(Text(_ONE_OBJECT))
    for text in texts:
        if text.text.strip():
            blocks += [{"text": text.text}, *cache_points(text.cache, model, dropped)]
    return blocks


def _inference(
    request: Request, model: Model, thinking: ThinkingPlan, dropped: Dropped
) -> Mapping[str, Any]:
    config: dict[str, Any] = {}
    if thinking.max_tokens is not None:
        config["maxTokens"] = thinking.max_tokens
    config.update(_sampling(request, model, dropped, thinks=thinking.thinks))
    stops = [stop for stop in request.stop if stop.strip()]
    if len(stops) < len(request.stop):
        dropped.add("stop")
    if stops:
        config["stopSequences"] = stops
    return config


def _sampling(
    request: Request, model: Model, dropped: Dropped, *, thinks: bool
) -> Mapping[str, Any]:
    if thinks or not model.samples:
        for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
            if value not in (None, 1):
                dropped.add(name)
        return {}
    sampling: dict[str, Any] = {}
    if request.temperature is not None:
        sampling["temperature"] = at_most(request.temperature, 1, "temperature", dropped)
    if request.top_p is not None:
        if sampling and model.one_sampler:
            dropped.add("top_p")
        else:
            sampling["topP"] = request.top_p
    return sampling


def _output(request: Request, model: Model, thinking: ThinkingPlan) -> Mapping[str, Any]:
    config: dict[str, Any] = {}
    if thinking.effort:
        config["effort"] = thinking.effort
    output = request.output
    if output is not None and output.kind == "json_schema" and model.schemas == "native":
        schema = {"schema": json.dumps(output_schema(output.schema or {"type": "object"}))}
        named = {"name": output.name, "description": output.description}
        schema.update({name: value for name, value in named.items() if value})
        config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return config


def _own_fields(
    request: Request, model: Model, thinking: ThinkingPlan, dropped: Dropped
) -> Mapping[str, Any]:
    fields = dict(thinking.fields)
    if betas := [beta for beta in model.betas if label(beta) in request.extras]:
        fields[FIELD] = betas
    if request.top_k is not None:
        name = None if thinking.thinks else top_k_field(model)
        if name:
            fields[name] = request.top_k
        elif model.vendor == "amazon":
            fields["inferenceConfig"] = {"topK": request.top_k}
        else:
            dropped.add("top_k")
    return fields
