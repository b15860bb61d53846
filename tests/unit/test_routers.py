"""Models that are chosen for the prompt."""

import pytest

from domain.errors import InvalidRequest
from domain.routing.classifier import Category, classify
from domain.routing.priors import Prior
from domain.routing.routers import (
    CODE_MODES,
    GENERAL_MODES,
    CallableModel,
    Mode,
    choose,
    fallback_models,
    router_mode,
)

FIGURES = {
    "a/best": Prior(code=76.0, general=80.0),
    "b/good": Prior(code=65.0, general=70.0),
    "c/fair": Prior(code=50.0, general=60.0),
    "d/weak": Prior(code=20.0, general=30.0),
}
MODELS = (
    CallableModel(id="a/best", price_picodollars=30_000_000, latency_ms=900),
    CallableModel(id="b/good", price_picodollars=6_000_000, latency_ms=500),
    CallableModel(id="c/fair", price_picodollars=1_000_000, latency_ms=300),
    CallableModel(id="d/weak", price_picodollars=200_000, latency_ms=None),
    CallableModel(id="e/unknown", price_picodollars=100_000, latency_ms=None),
)
CHEAP_BEST = CallableModel(id="a/best", price_picodollars=500_000)


def chosen(name: str, text: str, *models: CallableModel) -> tuple[str, ...]:
    mode = router_mode(name)
    assert mode is not None
    return choose([text], mode, models or MODELS, FIGURES)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("router:general", Mode("general", "balanced")),
        ("router:general:cost", Mode("general", "cost")),
        ("gatewayz-general-latency", Mode("general", "latency")),
        ("router:code", Mode("code", "auto")),
        ("gatewayz-code-agentic", Mode("code", "agentic")),
        ("openai/gpt-5", None),
        ("gatewayz-simulated", None),
    ],
)
def test_a_name_asks_for_a_router(name: str, mode: Mode | None) -> None:
    assert router_mode(name) == mode


@pytest.mark.parametrize("name", ["router:general:x", "router:code:cost", "router:poetry"])
def test_a_mode_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        router_mode(name)
    assert refusal.value.param == "model"


@pytest.mark.parametrize(
    ("mode", "first"),
    [("quality", "a/best"), ("cost", "c/fair"), ("latency", "c/fair")],
)
def test_a_general_mode_chooses_by_what_it_names(mode: str, first: str) -> None:
    assert chosen(f"router:general:{mode}", "Hello there.")[0] == first


def test_balanced_takes_a_better_model_for_what_asks_for_more() -> None:
    easy = chosen("router:general", "Say hello.")[0]
    hard = chosen("router:general", "Prove the theorem and derive an algorithm; analyze it.")[0]
    assert FIGURES[hard].general > FIGURES[easy].general  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Fix the typo in the README", "simple_edit"),
        ("Design the architecture of a payment service", "architecture"),
        ("Why do I get this traceback? ValueError: x", "debugging"),
        ("Refactor this class into two", "refactoring"),
        ("Write a function that parses dates", "generation"),
        ("Explain this regular expression", "explanation"),
        ("Go through the entire repository and run the tests until all pass", "agentic"),
        ("Hm.", None),
    ],
)
def test_what_a_prompt_asks_for_is_told_by_its_words(text: str, category: Category | None) -> None:
    assert classify([text]) == category


def test_a_small_matter_takes_a_small_model_and_a_large_one_the_best() -> None:
    assert chosen("router:code", "fix typo")[0] == "d/weak"
    assert chosen("router:code", "design the architecture")[0] == "a/best"


def test_debugging_never_goes_below_its_tier_while_there_is_one_of_it() -> None:
    for mode in CODE_MODES:
        assert chosen(f"router:code:{mode}", "debug this crash")[0] in {"a/best", "b/good"}


def test_by_price_a_better_model_that_is_cheaper_goes_first() -> None:
    models = (CHEAP_BEST, *MODELS[1:])
    assert chosen("router:code:price", "Write a function", *models)[0] == "a/best"
    assert chosen("router:code:auto", "Write a function", *models)[0] == "c/fair"


def test_by_quality_it_is_one_tier_better() -> None:
    assert chosen("router:code:quality", "Write a function")[0] == "b/good"


def test_agentic_takes_the_first_tier_whatever_is_asked() -> None:
    assert chosen("router:code:agentic", "fix typo")[0] == "a/best"


@pytest.mark.parametrize("mode", [*(f"general:{m}" for m in GENERAL_MODES), "code", "code:price"])
def test_every_callable_model_is_told_once_and_no_other(mode: str) -> None:
    assert sorted(chosen(f"router:{mode}", "Hi")) == sorted(model.id for model in MODELS)


def test_without_models_there_is_no_choice() -> None:
    assert choose(["Hi"], Mode("general", "balanced"), ()) == ()


def test_fallbacks_are_told_in_order_and_once() -> None:
    assert fallback_models(["b", "a", "b"]) == ("b", "a")
    assert fallback_models(None) == ()


@pytest.mark.parametrize("models", ["a", [1], [""], ["a"] * 11])
def test_fallbacks_that_are_no_names_are_refused(models: object) -> None:
    with pytest.raises(InvalidRequest):
        fallback_models(models)
