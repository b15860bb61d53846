"""The canonical form of a request and of its answer, between every client and every provider.

Each client wire and each provider wire is translated to and from this form alone, so that n wires
take n translations and not n². What only one wire knows stays in `extras`, keyed by its name
there. Tool arguments stay JSON *text*: models put out broken JSON, and clients may want the exact
bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.inference.events import Usage

Role = Literal["system", "user", "assistant"]
# How an answer ended. "error" is none of them: an answer that broke off is a failed attempt.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
# Who signed a piece of thinking: a signature goes back to its own vendor only.
Vendor = Literal["anthropic", "google", "openai", "bedrock", "other"]
CacheMark = Literal["5m", "1h"]


class Untranslatable(Exception):
    """What is asked for has no form in the wire of the offer; `param` names it as the client did.

    Another offer may take it, so this is no fault of the caller's until every offer refused.
    """

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text; `cache` asks the provider to cache the prompt up to here."""

    text: str
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: base64 `data` of a `media_type`, or a `url`; `detail` as OpenAI has it."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: str | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A document: base64 `data` of a `media_type`, plain `text`, or a `url`."""

    media_type: str | None = None
    data: str | None = None
    text: str | None = None
    url: str | None = None
    name: str | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound in base64; `format` is "wav", "mp3" and so on."""

    data: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model asks for a tool. `arguments` is JSON text, "" when there are none."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    vendor: Vendor | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gave; `call_id` is that of its call, `name` the tool's where the wire has it."""

    call_id: str
    parts: "tuple[Part, ...]"
    name: str | None = None
    is_error: bool = False
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """Reasoning that is shown; signed by `vendor` where there is a `signature`."""

    text: str
    signature: str | None = None
    vendor: Vendor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """Reasoning that only `vendor` can read."""

    data: str
    vendor: Vendor


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declined, in words of its own."""

    text: str


Part = Text | Image | File | Audio | ToolCall | ToolResult | Thinking | Redacted | Refusal


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said, in order; a later "system" turn is an instruction within the talk."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may ask for; `schema` is a JSON schema, None without parameters."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may or must be called; `names` restricts "auto" and "required" to some."""

    mode: Literal["auto", "none", "required"]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """What the answer's text must be; `schema` only for "json_schema"."""

    kind: Literal["text", "json_object", "json_schema"]
    schema: Mapping[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a model. None always means that the caller said nothing.

    `thinking_budget` is in tokens; `show_thinking` asks for readable reasoning. `extras` holds
    the caller's fields that have no canonical form, by their names in the caller's wire.
    """

    system: tuple[Text, ...] = ()
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: OutputFormat | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    effort: Effort | None = None
    thinking_budget: int | None = None
    show_thinking: bool | None = None
    verbosity: str | None = None
    user: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A request in a provider's wire, and the caller's parameters that have no place in it."""

    body: dict[str, Any]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One whole answer: its parts in the order thinking, text, tool calls as they came."""

    parts: tuple[Part, ...]
    finish: FinishReason
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete reply; `usage` is None where the provider reported none."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None
    raw_usage: str | None = None
