"""What the generations of Google's models take, told from their ids.

An id without a version (`gemini-flash-latest`) is one of the newest.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

_VERSION = re.compile(r"(gemini|gemma)-(?:[a-z]+-)*?(\d+)(?:\.(\d+))?(?![\d.]*b)")
_NEWEST = (99, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One model.

    - `thinking`: whether it is told a level or a budget of thought, or None where it has none.
    - `budget`: the least and the most; `may_stop` whether it can be told not to think at all.
    - `levels`: the levels it takes.
    - `signed_calls`: calls within the talk must carry the signature of the thought behind them.
    - `schema_answers`, `schema_tools`: it takes ordinary JSON schemas there.
    - `answers_with_tools`: a form of the answer may be asked for next to tools.
    - `urls`: it fetches media by https itself.
    - `system`: it has a place for the system's text.
    """

    thinking: Literal["level", "budget"] | None = "level"
    budget: tuple[int, int] = (0, 24576)
    may_stop: bool = True
    levels: frozenset[str] = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"})
    signed_calls: bool = True
    schema_answers: bool = True
    schema_tools: bool = True
    answers_with_tools: bool = True
    urls: bool = True
    system: bool = True


@lru_cache(maxsize=1024)
def traits_of(native_id: str) -> Traits:
    """What the model with this id takes."""
    name = native_id.rpartition("/")[2].lower()
    found = _VERSION.search(name)
    family = found[1] if found else "gemini"
    version = (int(found[2]), int(found[3] or 0)) if found else _NEWEST
    if family == "gemma":
        return _older(schema_tools=False, system=version[0] > 3)
    if version >= (3, 0):
        return Traits(levels=_levels(name, version), may_stop=False)
    if version >= (2, 5):
        return _thinking_by_budget(name)
    return _older(schema_tools=version >= (2, 0), system=True)


def _levels(name: str, version: tuple[int, int]) -> frozenset[str]:
    if "pro" not in name:
        return Traits().levels
    # The first Pro of the third generation had but two levels.
    return frozenset({"LOW", "HIGH"} if version == (3, 0) else {"LOW", "MEDIUM", "HIGH"})


def _thinking_by_budget(name: str) -> Traits:
    pro, lite = "pro" in name, "lite" in name
    return Traits(
        thinking="budget",
        budget=(128, 32768) if pro else (512 if lite else 1, 24576),
        may_stop=not pro,
        signed_calls=False,
        answers_with_tools=False,
    )


def _older(*, schema_tools: bool, system: bool) -> Traits:
    return Traits(
        thinking=None,
        signed_calls=False,
        schema_answers=False,
        schema_tools=schema_tools,
        answers_with_tools=False,
        urls=False,
        system=system,
    )
