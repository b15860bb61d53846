"""Models that are chosen for the prompt: `router:general:<mode>` and `router:code:<mode>`.

The choice is local and takes no call. It is among the models that the caller may call, and gives
all of them in order, so that the next may serve when the first cannot.

General modes, by the priors of `domain.routing.priors`:
- `quality`: the best known first; of models without a figure the dearer first, after all others.
- `cost`: the cheapest with a figure of `FLOOR` or more first, then the others by price.
- `latency`: the lowest measured median first; what is not measured comes after it, by price.
- `balanced`: the highest `w · quality / best - (1 - w) · log(price / lowest) / log(highest /
  lowest)` first, where w grows from 0.4 to 0.8 with what the prompt asks for.

Code modes: what the prompt asks for needs a tier of models, 1 being the best.
- `auto`: the best of just that tier, then of the better ones, then of the worse.
- `price`: the cheapest of that tier or a better one.
- `quality`: as `auto`, one tier better.
- `agentic`: the best of the first tier.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal, get_args

from domain.errors import InvalidRequest
from domain.routing.classifier import Category, classify, difficulty
from domain.routing.priors import NO_PRIOR, PRIORS, Prior

GeneralMode = Literal["quality", "cost", "latency", "balanced"]
CodeMode = Literal["auto", "price", "quality", "agentic"]
GENERAL_MODES: tuple[GeneralMode, ...] = get_args(GeneralMode)
CODE_MODES: tuple[CodeMode, ...] = get_args(CodeMode)
# Where nothing tells what is asked for, this one goes first.
DEFAULT_CODE_MODEL = "z-ai/glm-4.7"
# Below this general figure cheap is not cheap.
FLOOR = 50.0
# The lowest code figure of tiers 1, 2 and 3; a model without a figure is of tier 4.
TIER_FLOORS = (70.0, 60.0, 45.0)
TIERS: Mapping[Category, int] = {
    "agentic": 1,
    "architecture": 1,
    "debugging": 2,
    "refactoring": 2,
    "generation": 3,
    "explanation": 3,
    "simple_edit": 4,
}
DEFAULT_TIER = 3
MAX_FALLBACKS = 10
_PREFIXES = ("router:", "gatewayz-")
_Rank = Callable[["CallableModel"], Any]


@dataclass(frozen=True, slots=True)
class Mode:
    """Which router, and by what it chooses."""

    router: Literal["general", "code"]
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableModel:
    """A model that the caller may call: its best price for an input and an output token together,
    and its measured median latency, None when it is not measured.
    """

    id: str
    price_picodollars: int
    latency_ms: int | None = None


def router_mode(model: str) -> Mode | None:
    """The router that a model's name asks for; None when it names none.

    `router:general:cost` and `gatewayz-general-cost` are the same; without a mode they are
    `balanced` and `auto`. Raises `InvalidRequest` for a mode or a router that there is not.
    """
    if not model.startswith(_PREFIXES):
        return None
    prefix = next(prefix for prefix in _PREFIXES if model.startswith(prefix))
    router, _, mode = model.removeprefix(prefix).partition(prefix[-1])
    if router == "general":
        return Mode("general", _known(model, mode or "balanced", GENERAL_MODES))
    if router == "code":
        return Mode("code", _known(model, mode or "auto", CODE_MODES))
    if prefix == "router:":
        raise InvalidRequest(
            f"there is no router {router[:40]!r}: use router:general or router:code", param="model"
        )
    return None


def choose(
    prompt_texts: Sequence[str],
    mode: Mode,
    callable_models: Sequence[CallableModel],
    priors: Mapping[str, Prior] = PRIORS,
) -> tuple[str, ...]:
    """The ids of the models, the first choice first."""
    ranks = _code(prompt_texts, mode.mode, priors)
    if mode.router == "general":
        ranks = _general(prompt_texts, mode.mode, callable_models, priors)
    return tuple(model.id for model in sorted(callable_models, key=ranks))


def fallback_models(models: Any) -> tuple[str, ...]:
    """The `models` of a request: who may serve in place of its `model`, in order, each once.

    Raises `InvalidRequest`.
    """
    if models is None:
        return ()
    if not isinstance(models, list) or not all(isinstance(one, str) and one for one in models):
        raise InvalidRequest("models must be a list of names of models", param="models")
    if len(models) > MAX_FALLBACKS:
        raise InvalidRequest(f"models names at most {MAX_FALLBACKS} models", param="models")
    return tuple(dict.fromkeys(models))


def _known(model: str, mode: str, modes: Sequence[str]) -> str:
    if mode not in modes:
        raise InvalidRequest(
            f"{model[:80]!r} has no mode {mode[:40]!r}: use {', '.join(modes)}", param="model"
        )
    return mode


def _general(
    texts: Sequence[str],
    mode: str,
    models: Sequence[CallableModel],
    priors: Mapping[str, Prior],
) -> _Rank:
    def quality(model: CallableModel) -> float:
        return priors.get(model.id, NO_PRIOR).general or 0.0

    match mode:
        case "quality":
            return lambda model: (-quality(model), -model.price_picodollars)
        case "cost":
            return lambda model: (quality(model) < FLOOR, model.price_picodollars, -quality(model))
        case "latency":
            return lambda model: (
                model.latency_ms is None,
                model.latency_ms or 0,
                model.price_picodollars,
            )
    weight = 0.4 + 0.4 * difficulty(texts)
    best = max(map(quality, models), default=0.0) or 1.0
    prices = [log(model.price_picodollars + 1) for model in models]
    lowest, spread = min(prices, default=0.0), (max(prices, default=0.0) - min(prices, default=0.0))

    def score(model: CallableModel) -> float:
        dearness = (log(model.price_picodollars + 1) - lowest) / (spread or 1.0)
        return (1 - weight) * dearness - weight * quality(model) / best

    return score


def _code(texts: Sequence[str], mode: str, priors: Mapping[str, Prior]) -> _Rank:
    category = classify(texts)
    wanted = DEFAULT_TIER if category is None else TIERS[category]
    if mode == "quality":
        wanted = max(1, wanted - 1)
    elif mode == "agentic":
        wanted = 1

    def figure(model: CallableModel) -> float:
        return priors.get(model.id, NO_PRIOR).code or 0.0

    def rank(model: CallableModel) -> tuple[Any, ...]:
        tier = _tier(figure(model))
        # How far from what is wanted: better ones before worse ones.
        distance = wanted - tier if tier <= wanted else 10 + tier
        if mode == "price":
            return (tier > wanted, 0 if tier <= wanted else tier, model.price_picodollars)
        is_default = category is None and mode == "auto" and model.id == DEFAULT_CODE_MODEL
        return (not is_default, distance, -figure(model), model.price_picodollars)

    return rank


def _tier(figure: float) -> int:
    return next((tier for tier, low in enumerate(TIER_FLOORS, 1) if figure >= low), 4)
