"""What the models on Bedrock take beyond what Converse says of all of them.

The rows are facts about models, the first whose beginning fits holds; a Claude that is not listed
is read as one of the newest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

# How a model is told to think: a budget of tokens; of its own accord with an effort; by the
# fields of Amazon's or OpenAI's models; not at all.
Reasoning = Literal["budget", "adaptive", "nova", "openai", "none"]
# How a model is held to a JSON schema: by Converse itself, by a tool that it must call, not at all.
Schemas = Literal["native", "tool", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`vendor` is that of the model's id; `samples` says whether it takes temperature and top_p,
    `one_sampler` that it takes one of them only; `always_thinks` that it cannot be told not to.
    """

    vendor: str
    reasoning: Reasoning = "none"
    always_thinks: bool = False
    xhigh: bool = True
    samples: bool = True
    one_sampler: bool = False
    prefill: bool = False
    forced_tool: bool = True
    named_tool: bool = False
    schemas: Schemas = "none"
    caches: bool = False
    cached_tools: bool = False
    marks_tool_errors: bool = False


_CLAUDE: Final = Model(
    vendor="anthropic",
    reasoning="adaptive",
    samples=False,
    named_tool=True,
    schemas="native",
    caches=True,
    cached_tools=True,
    marks_tool_errors=True,
)
_CLAUDE_ALWAYS: Final = replace(_CLAUDE, always_thinks=True)
_CLAUDE_UNFORCED: Final = replace(_CLAUDE_ALWAYS, forced_tool=False, named_tool=False)
_CLAUDE_4_6: Final = replace(_CLAUDE, samples=True, one_sampler=True, xhigh=False)
_CLAUDE_4_5: Final = replace(_CLAUDE_4_6, reasoning="budget", prefill=True)
_CLAUDE_4_1: Final = replace(_CLAUDE_4_5, schemas="tool")
_CLAUDE_4: Final = replace(_CLAUDE_4_1, one_sampler=False)
_CLAUDE_3: Final = replace(_CLAUDE_4, reasoning="none")
_NOVA: Final = Model(
    vendor="amazon",
    prefill=True,
    named_tool=True,
    schemas="tool",
    caches=True,
    marks_tool_errors=True,
)
_ROWS: Final[tuple[tuple[str, Model], ...]] = (
    ("anthropic.claude-fable-5-1", _CLAUDE_UNFORCED),
    ("anthropic.claude-sonnet-5-5", _CLAUDE_UNFORCED),
    ("anthropic.claude-opus-5-5", _CLAUDE_UNFORCED),
    ("anthropic.claude-fable-5", _CLAUDE_ALWAYS),
    ("anthropic.claude-sonnet-4-6", _CLAUDE_4_6),
    ("anthropic.claude-opus-4-6", _CLAUDE_4_6),
    ("anthropic.claude-haiku-4-5", _CLAUDE_4_5),
    ("anthropic.claude-sonnet-4-5", _CLAUDE_4_5),
    ("anthropic.claude-opus-4-5", _CLAUDE_4_5),
    ("anthropic.claude-opus-4-1", _CLAUDE_4_1),
    ("anthropic.claude-opus-4-2025", _CLAUDE_4),
    ("anthropic.claude-sonnet-4-2025", _CLAUDE_4),
    ("anthropic.claude-3-7", _CLAUDE_4),
    ("anthropic.claude-3", _CLAUDE_3),
    ("anthropic.claude-v2", _CLAUDE_3),
    ("anthropic.claude-instant", _CLAUDE_3),
    ("anthropic.claude", _CLAUDE),
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
_TOP_K: Final[Mapping[str, str]] = {"anthropic": "top_k", "mistral": "top_k", "cohere": "k"}


def model_of(native_id: str) -> Model:
    """The model behind an id, an inference profile or an ARN that names it; else one that is taken
    to do what every model does.
    """
    name = bare_name(native_id)
    found = next((model for start, model in _ROWS if name.startswith(start)), None)
    return found or Model(vendor=name.partition(".")[0])


def bare_name(native_id: str) -> str:
    """The id without the ARN and the geography of a profile: "anthropic.claude-…"."""
    name = native_id.rpartition("/")[2]
    geography, _, rest = name.partition(".")
    return rest if geography in _GEOGRAPHIES else name


def top_k_field(model: Model) -> str | None:
    """How the model calls `top_k` among its own fields, if it takes one there."""
    return _TOP_K.get(model.vendor) if model.samples else None
