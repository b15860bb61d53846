"""What the models on Bedrock take beyond what Converse says of all of them.

The rows are facts about models, of which the first whose beginning fits holds; Claude has its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from domain.dialects.canonical import Effort
from domain.dialects.messages.models import ModelRules, rules_of

# How a model is told to think: a budget of tokens; of its own accord with an effort; by the
# fields of Amazon's or OpenAI's models; not at all.
Reasoning = Literal["budget", "adaptive", "nova", "openai", "none"]
# How a model is held to a JSON schema: by Converse itself, by a tool that it must call, not at all.
Schemas = Literal["native", "tool", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`vendor` is that of the model's id; `samples` says whether it takes temperature and top_p,
    `one_sampler` that it takes one of them only; `always_thinks` that it cannot be told not to;
    `highest` the efforts beyond "high" that it knows; `betas` those of Anthropic's that it takes.
    """

    vendor: str
    reasoning: Reasoning = "none"
    takes_budget: bool = False
    always_thinks: bool = False
    highest: frozenset[Effort] = frozenset()
    samples: bool = True
    one_sampler: bool = False
    prefill: bool = False
    forced_tool: bool = True
    named_tool: bool = False
    schemas: Schemas = "none"
    caches: bool = False
    cached_tools: bool = False
    marks_tool_errors: bool = False
    betas: tuple[str, ...] = ()


_NOVA: Final = Model(
    vendor="amazon",
    prefill=True,
    named_tool=True,
    schemas="tool",
    caches=True,
    marks_tool_errors=True,
)
_ROWS: Final[tuple[tuple[str, Model], ...]] = (
    ("amazon.nova-2", replace(_NOVA, reasoning="nova")),
    ("amazon.nova", _NOVA),
    ("openai.", Model(vendor="openai", reasoning="openai", schemas="native")),
    ("mistral.", Model(vendor="mistral", schemas="native")),
    ("qwen.", Model(vendor="qwen", schemas="native")),
    ("deepseek.", Model(vendor="deepseek", schemas="native")),
    ("google.", Model(vendor="google", schemas="native")),
    ("minimax.", Model(vendor="minimax", schemas="native")),
    ("moonshot", Model(vendor="moonshot", schemas="native")),
    ("nvidia.", Model(vendor="nvidia", schemas="native")),
)
_GEOGRAPHIES: Final = frozenset(
    {"us", "us-gov", "eu", "apac", "ap", "jp", "au", "uk", "ca", "sa", "me", "af", "il", "global"}
)
# Of Anthropic's betas those that Converse takes, where any other is an error.
_TOOL_STREAMING: Final = "fine-grained-tool-streaming-2025-05-14"
_INTERLEAVED: Final = "interleaved-thinking-2025-05-14"
_TOP_K: Final[Mapping[str, str]] = {"anthropic": "top_k", "mistral": "top_k", "cohere": "k"}


def model_of(native_id: str) -> Model:
    """The model behind an id, an inference profile or an ARN that names it; else one that is taken
    to do what every model does.
    """
    name = bare_name(native_id)
    if name.startswith("anthropic."):
        return _claude(rules_of(name))
    found = next((model for start, model in _ROWS if name.startswith(start)), None)
    return found or Model(vendor=name.partition(".")[0])


def _claude(rules: ModelRules) -> Model:
    beyond: dict[Effort, bool] = {"xhigh": rules.xhigh, "max": rules.max}
    return Model(
        vendor="anthropic",
        reasoning="adaptive" if rules.adaptive else "budget" if rules.budget else "none",
        takes_budget=rules.budget,
        always_thinks=rules.always_thinks,
        highest=frozenset(effort for effort, known in beyond.items() if known),
        samples=rules.sampling,
        one_sampler=rules.one_of_two,
        prefill=rules.prefill,
        forced_tool=rules.forced_tools,
        named_tool=rules.forced_tools,
        schemas="native" if rules.schema else "tool",
        caches=True,
        cached_tools=True,
        marks_tool_errors=True,
        betas=(_TOOL_STREAMING, _INTERLEAVED) if rules.budget else (_TOOL_STREAMING,),
    )


def bare_name(native_id: str) -> str:
    """The id without the ARN and the geography of a profile: "anthropic.claude-…"."""
    name = native_id.rpartition("/")[2]
    geography, _, rest = name.partition(".")
    return rest if geography in _GEOGRAPHIES else name


def top_k_field(model: Model) -> str | None:
    """How the model calls `top_k` among its own fields, if it takes one there."""
    return _TOP_K.get(model.vendor) if model.samples else None
