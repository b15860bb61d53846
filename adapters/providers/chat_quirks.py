"""Where a provider's chat wire differs from OpenAI's, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from adapters.providers.chat_effort import EffortForm

LimitField = Literal["max_tokens", "max_completion_tokens"]
ToolMode = Literal["auto", "none", "required", "named"]
MessageForm = Literal["no_names", "no_nulls", "plain_text", "short_call_ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuirks:
    """What holds for the models whose native id fits one of the patterns in `match`.

    `thinks` are parameters that such a model takes only when told not to reason.
    """

    match: tuple[str, ...]
    limit: LimitField | None = None
    refuses: tuple[str, ...] = ()
    thinks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatQuirks:
    """Nothing set is OpenAI's own wire. The facts are in the registry of providers.

    - `limit`: the name of the token limit; as the caller wrote it where None.
    - `always_limit`: the provider's own default is harmful, so the model's limit is sent.
    - `clamps_limit`: a limit above the model's own is an error there, so it is lowered.
    - `effort`: its words for how hard to think.
    - `refuses`: parameters that it does not take.
    - `renames`: parameters that have another name here.
    - `temperature`: the range that it takes.
    - `max_choices`, `max_stops`: the most of each.
    - `tool_choice`: the modes that it takes; `any_tool` is its word for "required".
    - `json_object`, `strict_tools`, `stream_options`: whether it takes them.
    - `messages`: what its messages must be like.
    - `chat`: whether it has a chat route; `float_encoding`: whether it takes that word.
    - `models`: what holds for some models; the first that fits decides.
    """

    limit: LimitField | None = None
    always_limit: bool = False
    clamps_limit: bool = False
    effort: EffortForm | None = None
    refuses: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    temperature: tuple[float, float] | None = None
    max_choices: int | None = None
    max_stops: int | None = None
    tool_choice: tuple[ToolMode, ...] | None = None
    any_tool: str | None = None
    json_object: bool = True
    strict_tools: bool = True
    stream_options: bool = True
    messages: tuple[MessageForm, ...] = ()
    chat: bool = True
    float_encoding: bool = True
    models: tuple[ModelQuirks, ...] = ()

    def of_model(self, native_id: str) -> ModelQuirks | None:
        """What holds for this model beyond the rest."""
        return next((one for one in self.models if _fits(native_id, one.match)), None)


def _fits(native_id: str, patterns: tuple[str, ...]) -> bool:
    name = native_id.rpartition("/")[2].lower()
    return any(fnmatchcase(name, pattern) for pattern in patterns)


NO_QUIRKS = ChatQuirks()
