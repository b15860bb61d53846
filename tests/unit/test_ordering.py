"""In which order offers are asked, and why others are left out."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from domain.inference.events import OfferRef
from domain.providers.health import OfferHealth
from domain.routing.candidates import NO_PREFERENCES, Candidate, Preferences, Reason
from domain.routing.ordering import Ordered, Situation, Strategy, order

MODEL = "meta-llama/llama-3.3-70b-instruct"
STRATEGIES: tuple[Strategy, ...] = (
    "price",
    "order",
    "latency",
    "throughput",
    "balanced",
    "weights",
)


def candidate(provider: str, price: int = 10, **more: Any) -> Candidate:
    return Candidate(
        provider=provider,
        native_id="m",
        input_picodollars=price,
        output_picodollars=price,
        **more,
    )


CHEAP, MIDDLE, DEAR = candidate("cheap", 10), candidate("middle", 12), candidate("dear", 30)
ALL = (DEAR, MIDDLE, CHEAP)


def offer(provider: str) -> OfferRef:
    return OfferRef(provider=provider, native_id="m")


def measured(duration_ms: int, samples: int = 20, **more: Any) -> OfferHealth:
    return OfferHealth(samples=samples, duration_ms=duration_ms, **more)


def ordered(
    strategy: Strategy,
    wanted: Preferences = NO_PREFERENCES,
    candidates: tuple[Candidate, ...] = ALL,
    model: str = MODEL,
    **known: Any,
) -> Ordered:
    situation = Situation(**{"strategy": strategy, "request_id": "job_1", **known})
    return order(model, candidates, wanted, situation)


def names(made: Ordered) -> list[str]:
    return [one.provider for one in made.candidates]


def health(**durations: int) -> dict[OfferRef, OfferHealth]:
    return {offer(name): measured(duration) for name, duration in durations.items()}


def test_by_price_the_cheapest_is_first() -> None:
    assert names(ordered("price")) == ["cheap", "middle", "dear"]


def test_by_order_they_stand_as_listed() -> None:
    assert names(ordered("order")) == ["dear", "middle", "cheap"]


def test_equal_prices_are_told_apart_by_the_makers_own_host_and_the_chain() -> None:
    hosts = (candidate("unheard-of"), candidate("together"), candidate("groq"), candidate("meta"))
    assert names(ordered("price", candidates=hosts)) == ["meta", "groq", "together", "unheard-of"]


def test_health_does_not_override_the_price() -> None:
    slow = health(cheap=9_000, middle=10, dear=10)
    assert names(ordered("price", health=slow)) == ["cheap", "middle", "dear"]


def test_open_breakers_come_last_the_one_that_failed_least_lately_first() -> None:
    broken = {offer("cheap"): 2_000, offer("middle"): 1_000}
    assert names(ordered("price", open=broken)) == ["dear", "middle", "cheap"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_every_breaker_open_all_are_still_candidates(strategy: Strategy) -> None:
    broken = {offer("cheap"): 3, offer("middle"): 1, offer("dear"): 2}
    assert names(ordered(strategy, open=broken)) == ["middle", "dear", "cheap"]


def test_by_latency_the_lowest_median_is_first() -> None:
    known = health(cheap=500, middle=300, dear=50)
    assert names(ordered("latency", health=known)) == ["dear", "middle", "cheap"]


def test_latency_goes_by_the_first_token_where_all_are_streamed() -> None:
    known = {
        offer("cheap"): measured(900, first_token_samples=20, first_token_ms=40),
        offer("dear"): measured(300, first_token_samples=20, first_token_ms=200),
    }
    assert names(ordered("latency", candidates=(DEAR, CHEAP), health=known)) == ["cheap", "dear"]


def test_too_few_samples_are_no_measure() -> None:
    few = {**health(cheap=500), offer("dear"): measured(50, samples=9)}
    known = ordered("latency", candidates=(DEAR, CHEAP), health=few, request_id="job_0")
    assert known.leader == offer("cheap")


def test_the_lead_changes_for_a_margin_alone() -> None:
    leading = offer("cheap")
    slightly = ordered("latency", health=health(cheap=100, middle=81, dear=90), leader=leading)
    clearly = ordered("latency", health=health(cheap=100, middle=79, dear=90), leader=leading)
    assert (slightly.leader, clearly.leader) == (leading, offer("middle"))


def test_a_leader_whose_breaker_opens_loses_the_lead() -> None:
    made = ordered(
        "latency",
        health=health(cheap=10, dear=90),
        leader=offer("cheap"),
        open={offer("cheap"): 1},
    )
    assert made.leader == offer("dear")


def test_one_request_in_five_measures_what_is_not_measured() -> None:
    first = Counter(
        names(ordered("latency", health=health(cheap=90), request_id=f"job_{n}"))[0]
        for n in range(1_000)
    )
    assert first["cheap"] == pytest.approx(800, abs=50)
    assert min(first["middle"], first["dear"]) > 20


def test_once_all_are_measured_no_request_goes_to_the_slower_ones_first() -> None:
    known = health(cheap=500, middle=60, dear=50)
    first = {names(ordered("latency", health=known, request_id=f"job_{n}"))[0] for n in range(200)}
    assert first == {"dear"}


def test_by_throughput_the_most_tokens_a_second_are_first() -> None:
    known = {
        offer("cheap"): measured(1, tokens_per_second=20.0),
        offer("middle"): measured(1, tokens_per_second=80.0),
        offer("dear"): measured(1, tokens_per_second=50.0),
    }
    assert names(ordered("throughput", health=known)) == ["middle", "dear", "cheap"]


def test_balanced_takes_the_faster_for_a_little_more_and_not_for_any_price() -> None:
    known = health(cheap=500, middle=100, dear=90)
    assert names(ordered("balanced", health=known)) == ["middle", "dear", "cheap"]
    assert names(ordered("balanced")) == ["cheap", "middle", "dear"]


def test_balanced_minds_how_many_attempts_are_answered() -> None:
    failing = replace(measured(100), failed=60)
    known = {offer("cheap"): failing, offer("middle"): measured(100)}
    assert names(ordered("balanced", candidates=(CHEAP, MIDDLE), health=known))[0] == "middle"


def test_weights_share_requests_out() -> None:
    first = Counter(
        names(ordered("weights", weights={"cheap": 70, "dear": 30}, request_id=f"job_{n}"))[0]
        for n in range(2_000)
    )
    assert first["cheap"] / 2_000 == pytest.approx(0.7, abs=0.03)
    assert first["middle"] == 0


def test_a_weight_of_one_offer_goes_before_that_of_its_provider() -> None:
    made = ordered("weights", weights={"cheap": 70, "cheap/m": 0, "dear": 1})
    assert names(made)[0] == "dear"


def test_the_providers_named_come_first_in_their_order() -> None:
    assert names(ordered("price", Preferences(order=("dear",)))) == ["dear", "cheap", "middle"]


def test_without_fallbacks_no_other_than_the_named_may_serve() -> None:
    made = ordered("price", Preferences(order=("dear", "middle"), allow_fallbacks=False))
    assert names(made) == ["dear", "middle"]
    assert [(one.offer.provider, one.reason) for one in made.left_out] == [("cheap", "not_chosen")]


@pytest.mark.parametrize(
    ("change", "wanted", "reason"),
    [
        ({}, Preferences(ignore=frozenset({"host"})), "ignored"),
        ({}, Preferences(only=frozenset({"other"})), "not_chosen"),
        ({}, Preferences(regions=frozenset({"eu"})), "region"),
        (
            {"regions": frozenset({"eu", "us"})},
            Preferences(regions=frozenset({"eu"})),
            "region",
        ),
        ({}, Preferences(data_policy="no_training"), "data_policy"),
        ({"data_handling": "retains"}, Preferences(data_policy="no_retention"), "data_policy"),
        ({}, Preferences(max_input_picodollars=9), "price"),
        ({}, Preferences(max_output_picodollars=9), "price"),
        (
            {"capabilities": frozenset({"vision"})},
            Preferences(capabilities=frozenset({"tools"})),
            "capability",
        ),
        ({"context_length": 100}, Preferences(context_tokens=101), "context"),
    ],
)
def test_what_does_not_meet_a_demand_is_left_out(
    change: dict[str, Any], wanted: Preferences, reason: Reason
) -> None:
    made = ordered("price", wanted, (candidate("host", **change),))
    assert [one.reason for one in made.left_out] == [reason]
    assert not made.candidates


def test_what_meets_every_demand_serves() -> None:
    wanted = Preferences(
        only=frozenset({"host"}),
        regions=frozenset({"eu"}),
        data_policy="no_retention",
        max_input_picodollars=10,
        capabilities=frozenset({"tools"}),
        context_tokens=100,
    )
    host = candidate(
        "host",
        regions=frozenset({"eu"}),
        data_handling="forgets",
        capabilities=frozenset({"tools", "vision"}),
        context_length=100,
    )
    assert names(ordered("price", wanted, (host,))) == ["host"]


def test_where_no_capability_is_told_anything_may_be_asked() -> None:
    wanted = Preferences(capabilities=frozenset({"tools"}))
    assert names(ordered("price", wanted, (candidate("host"),))) == ["host"]


def test_a_free_model_is_never_served_by_a_paid_offer() -> None:
    free = candidate("openrouter", 0)
    made = ordered("price", candidates=(free, CHEAP), model="deepseek/deepseek-r1:free")
    assert names(made) == ["openrouter"]
    assert [one.reason for one in made.left_out] == ["not_free"]
