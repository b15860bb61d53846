"""Functions as Google declares them, and their names there and back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from adapters.providers.gemini.schema import parameters
from adapters.providers.gemini.traits import Traits
from domain.dialects.canonical import Tool, ToolChoice

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]")
# Where a schema says which parameters there are; without any of these it has none.
_MEMBERS = ("properties", "patternProperties", "additionalProperties", "$ref", "allOf", "anyOf",
            "oneOf")  # fmt: skip
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def native_name(name: str) -> str:
    """`name` where Google takes it, else one like it; the same name always gives the same."""
    if _NAME.fullmatch(name):
        return name
    return f"_{_FOREIGN.sub('_', name)[:54]}_{sha256(name.encode()).hexdigest()[:8]}"


def callers_names(body: Mapping[str, Any]) -> dict[str, str]:
    """The callers' names of the tools in a request's body that have another name at Google."""
    return {native_name(name): name for name in _declared(body) if native_name(name) != name}


def _declared(body: Mapping[str, Any]) -> Iterator[str]:
    """Names stand in the tool itself, or in its `function` as in chat completions."""
    for field in ("tools", "functions"):
        tools = body.get(field)
        for tool in tools if isinstance(tools, list) else ():
            function = tool.get("function", tool) if isinstance(tool, dict) else None
            name = function.get("name") if isinstance(function, dict) else None
            if isinstance(name, str):
                yield name


def declarations(tools: Sequence[Tool], traits: Traits) -> list[dict[str, Any]]:
    """The `functionDeclarations`."""
    return [_declaration(tool, traits) for tool in tools]


def _declaration(tool: Tool, traits: Traits) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": native_name(tool.name)}
    if tool.description:
        declared["description"] = tool.description
    if traits.schema_tools:
        if tool.schema and any(map(tool.schema.get, _MEMBERS)):
            declared["parametersJsonSchema"] = {"type": "object", **tool.schema}
    elif shaped := parameters(tool.schema):
        declared["parameters"] = shaped
    return declared


def offered(tools: Sequence[Tool], choice: ToolChoice | None) -> Sequence[Tool]:
    """The tools that the model may know of: a choice among some leaves the others out."""
    if choice is None or choice.mode != "auto" or not choice.names:
        return tools
    return [tool for tool in tools if tool.name in choice.names]


def calling_config(choice: ToolChoice) -> dict[str, Any]:
    """The `functionCallingConfig`."""
    config: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "required" and choice.names:
        config["allowedFunctionNames"] = [native_name(name) for name in choice.names]
    return config
