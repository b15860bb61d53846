"""Laws of the order of offers, whatever is known and wanted."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.inference.events import OfferRef
from domain.providers.health import OfferHealth
from domain.routing.candidates import Candidate, Preferences
from domain.routing.ordering import Ordered, Situation, Strategy, order

HOSTS = ("groq", "together", "openrouter", "h1", "h2")
STRATEGIES: tuple[Strategy, ...] = (
    "price",
    "order",
    "latency",
    "throughput",
    "balanced",
    "weights",
)
hosts = st.sampled_from(HOSTS)
offers = st.builds(OfferRef, provider=hosts, native_id=st.sampled_from("ab"))
candidates = st.lists(
    st.builds(
        Candidate,
        provider=hosts,
        native_id=st.sampled_from("ab"),
        input_picodollars=st.integers(0, 50),
        output_picodollars=st.integers(0, 50),
        regions=st.frozensets(st.sampled_from(["eu", "us"])),
        data_handling=st.sampled_from(["unknown", "trains", "retains", "forgets"]),
        own_key=st.sampled_from([None, None, "pkey_1"]),
    ),
    max_size=8,
    unique_by=lambda one: (one.provider, one.native_id, one.own_key),
)
preferences = st.builds(
    Preferences,
    order=st.lists(hosts, max_size=3, unique=True).map(tuple),
    only=st.frozensets(hosts),
    ignore=st.frozensets(hosts, max_size=2),
    allow_fallbacks=st.booleans(),
    regions=st.frozensets(st.sampled_from(["eu", "us"])),
    data_policy=st.sampled_from(["any", "no_training", "no_retention"]),
)
measures = st.builds(
    OfferHealth,
    samples=st.integers(0, 40),
    failed=st.integers(0, 40),
    duration_ms=st.integers(1, 5_000),
    first_token_samples=st.integers(0, 40),
    first_token_ms=st.integers(1, 5_000),
    tokens_per_second=st.none() | st.floats(0.1, 500),
)
situations = st.builds(
    Situation,
    strategy=st.sampled_from(STRATEGIES),
    request_id=st.text(max_size=5),
    health=st.dictionaries(offers, measures, max_size=6),
    open=st.dictionaries(offers, st.integers(0, 100), max_size=4),
    leader=st.none() | offers,
    weights=st.dictionaries(hosts, st.floats(0, 100), max_size=3),
)
models = st.sampled_from(["meta-llama/llama", "openai/gpt-5", "deepseek/r1:free"])


def made(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> Ordered:
    return order(model, offered, wanted, situation)


@given(models, candidates, preferences, situations)
def test_every_offer_is_a_candidate_or_left_out_and_none_is_both(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> None:
    ordered = made(model, offered, wanted, situation)
    told = [*ordered.offers, *(one.offer for one in ordered.left_out)]
    assert Counter(told) == Counter(one.offer for one in offered)


@given(models, candidates, preferences, situations)
def test_no_hard_demand_is_ever_broken(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> None:
    for one in made(model, offered, wanted, situation).candidates:
        assert one.provider not in wanted.ignore
        assert not wanted.only or one.provider in wanted.only
        assert not wanted.regions or (one.regions and one.regions <= wanted.regions)
        assert wanted.data_policy == "any" or one.data_handling in {"retains", "forgets"}
        assert wanted.data_policy != "no_retention" or one.data_handling == "forgets"
        assert not model.endswith(":free") or one.price == 0


@given(models, candidates, preferences, situations)
def test_open_breakers_come_after_all_others(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> None:
    ordered = made(model, offered, wanted, situation)
    are_open = [offer in situation.open for offer in ordered.offers]
    assert are_open == sorted(are_open)
    failed_at = [situation.open[offer] for offer in ordered.offers if offer in situation.open]
    assert failed_at == sorted(failed_at)


@given(models, candidates, preferences, situations)
def test_an_own_key_comes_before_the_house_at_the_same_provider(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> None:
    ordered = made(model, offered, wanted, situation)
    closed = [one for one in ordered.candidates if one.offer not in situation.open]
    for host in HOSTS:
        are_ours = [one.own_key is None for one in closed if one.provider == host]
        assert are_ours == sorted(are_ours)
    if not wanted.order:
        are_ours = [one.own_key is None for one in closed]
        assert are_ours == sorted(are_ours)


@given(models, candidates, preferences, situations)
def test_the_same_request_is_always_ordered_the_same(
    model: str, offered: list[Candidate], wanted: Preferences, situation: Situation
) -> None:
    first = made(model, offered, wanted, situation)
    assert made(model, offered, wanted, situation) == first


@given(models, candidates, situations)
def test_who_was_given_the_lead_keeps_it_while_nothing_changes(
    model: str, offered: list[Candidate], situation: Situation
) -> None:
    leader = made(model, offered, Preferences(), situation).leader
    again = Situation(
        strategy=situation.strategy,
        request_id="another",
        health=situation.health,
        open=situation.open,
        leader=leader,
    )
    if situation.strategy in {"latency", "throughput", "balanced"}:
        assert made(model, offered, Preferences(), again).leader == leader
