"""What Claude models take, by their names at any provider.

Sources: the model table of litellm 1.109.1 (November 2026) and the types of anthropic 2.12; flags
that neither states are those of the model's family. A Claude that is not listed is taken for the
newest, or for an old one by its version; a model of another vendor that is served in this wire
for one without limits of its own.
"""

import re
from dataclasses import dataclass, replace

_NAME = re.compile(r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d)(?:[-.](?P<minor>\d)(?!\d))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """One model.

    - `adaptive`: takes `thinking: adaptive` with an effort; `budget`: takes one in tokens.
    - `always_thinks`: thinking cannot be turned off.
    - `prefill`: goes on with an answer that the request begins.
    - `sampling`: takes temperature, top_p and top_k; `one_of_two`: not both of the first two.
    - `forced_tools`: a tool call can be required.
    - `schema`: answers in a JSON schema and checks tools strictly.
    - `system_turns`: takes instructions within the talk.
    - `xhigh`, `max`: the efforts beyond "high" that it knows.
    """

    max_output: int
    adaptive: bool = False
    budget: bool = False
    always_thinks: bool = False
    prefill: bool = False
    sampling: bool = False
    one_of_two: bool = True
    forced_tools: bool = True
    schema: bool = True
    system_turns: bool = False
    xhigh: bool = False
    max: bool = False


_OLDEST = ModelRules(max_output=4096, prefill=True, sampling=True, one_of_two=False, schema=False)
_OF_4_0 = ModelRules(max_output=32_000, budget=True, prefill=True, sampling=True, schema=False)
_OF_4_5 = replace(_OF_4_0, max_output=64_000, schema=True)
_OF_4_6 = ModelRules(max_output=128_000, adaptive=True, budget=True, sampling=True, max=True)
_OF_4_7 = ModelRules(max_output=128_000, adaptive=True, xhigh=True, max=True)
_OF_5 = replace(_OF_4_7, system_turns=True)
_OF_FABLE_5 = replace(_OF_5, always_thinks=True)
_NEWEST = replace(_OF_FABLE_5, forced_tools=False)

_OF_OTHERS = replace(_OF_4_0, max_output=8192, one_of_two=False)

# By family and version.
_MODELS = {
    ("", "3", "5"): replace(_OLDEST, max_output=8192),
    ("", "3", "7"): replace(_OF_4_0, max_output=64_000, one_of_two=False),
    ("haiku", "4", "5"): _OF_4_5,
    ("sonnet", "4", ""): replace(_OF_4_0, max_output=64_000, one_of_two=False),
    ("sonnet", "4", "5"): _OF_4_5,
    ("sonnet", "4", "6"): _OF_4_6,
    ("sonnet", "5", ""): _OF_5,
    ("sonnet", "5", "5"): _NEWEST,
    ("opus", "4", ""): replace(_OF_4_0, one_of_two=False),
    ("opus", "4", "1"): _OF_4_0,
    ("opus", "4", "5"): _OF_4_5,
    ("opus", "4", "6"): _OF_4_6,
    ("opus", "4", "7"): _OF_4_7,
    ("opus", "4", "8"): _OF_5,
    ("opus", "5", ""): _OF_5,
    ("opus", "5", "5"): _NEWEST,
    ("haiku", "5", "5"): _OF_5,
    ("fable", "5", ""): _OF_FABLE_5,
    ("fable", "5", "1"): _NEWEST,
    ("mythos", "5", ""): _OF_FABLE_5,
    ("mythos", "5", "1"): _NEWEST,
}


def rules_of(native_id: str) -> ModelRules:
    """The rules of a model, under whatever name a provider has it."""
    found = _NAME.search(native_id.lower())
    if found is None:
        return _OF_OTHERS
    version = (found["family"] or "", found["major"], found["minor"] or "")
    return _MODELS.get(version, _OLDEST if int(found["major"]) < 4 else _NEWEST)
