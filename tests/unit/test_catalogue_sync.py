"""What providers' lists change, what is not believed of them, and what the operator says."""

from dataclasses import replace

import pytest

from domain.catalog.events import (
    OfferDelisted,
    OfferRelisted,
    OffersSynced,
    PricesQuarantined,
    QuarantinedPrice,
    SyncRefused,
)
from domain.catalog.listing import Known, ListedOffer, ModelListing, Spread
from domain.catalog.overlay import overlaid
from domain.catalog.sync import PER_EVENT, decide_release, decide_sync, refused
from domain.errors import NotFound
from domain.event import Event
from tests.support.lists import ANCHORS, PROVIDER, Log, anchors, entry, model, prices

USUAL = {f"acme/m{n}": n * 1_000_000 for n in range(1, 6)}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.sync(anchors())
    return log


def held(log: Log) -> dict[str, str]:
    """Why each price in quarantine is there."""
    return {name: one.why for name, one in log.feeds[PROVIDER].quarantined.items()}


def test_a_list_that_tells_what_is_known_tells_only_what_it_has(log: Log) -> None:
    (first,) = log.recorded
    assert first.event == OffersSynced(provider=PROVIDER, seen=("m1", "m2", "m3", "m4", "m5"))
    assert log.sync(anchors()).events == ()
    assert log.sold() == USUAL


def test_a_new_model_is_on_sale(log: Log) -> None:
    log.sync([*anchors(), entry("new", 2_000_000, context_length=8192)])
    assert log.sold() == {**USUAL, "acme/new": 2_000_000}


def test_a_new_model_without_a_price_is_not_there(log: Log) -> None:
    assert log.sync([*anchors(), entry("new", None)]).events == ()


def test_zero_is_no_price_unless_it_is_called_free(log: Log) -> None:
    log.sync([*anchors(), entry("paid", 0), entry("gift:free", 0, free=True)])
    assert log.sold() == {**USUAL, "acme/gift:free": 0}


def test_a_list_prices_the_searches_of_what_searches_unasked(log: Log) -> None:
    def listed(native_id: str, search: int | None) -> ListedOffer:
        told = replace(prices(2_000_000), search_picodollars=search)
        return replace(entry(native_id, None), prices=told)

    log.sync([*anchors(), listed("sonar", 5_000), listed("sonar-pro", None), listed("new", 5_000)])
    assert log.sold() == {**USUAL, "acme/sonar": 2_000_000, "acme/new": 2_000_000}
    offers = log.feeds[PROVIDER].offers
    told = {name: one.prices.search_picodollars for name, one in offers.items() if one.prices}
    assert told == {"sonar": 5_000, "sonar-pro": None, "new": None}


@pytest.mark.parametrize(
    ("request_price", "search_price", "billed"),
    [(3_000, 5_000, (0, 5_000)), (5_000, 3_000, (5_000, None)), (None, 5_000, (0, 5_000))],
    ids=["of a search", "of a request", "of a search, over what is known of a request"],
)
def test_what_searches_unasked_is_billed_for_it_in_the_dearer_way_alone(
    request_price: int | None, search_price: int, billed: tuple[int, int | None]
) -> None:
    shipped = model("acme/sonar", "sonar", 2_000_000)
    offers = (replace(shipped.offers[0], request_picodollars=4_000),)
    log = Log((*ANCHORS, replace(shipped, offers=offers)))
    told = replace(
        prices(2_000_000), request_picodollars=request_price, search_picodollars=search_price
    )
    log.sync([*anchors(), replace(entry("sonar", None), prices=told)])
    *_, sonar = overlaid(log.models, log.feeds.copied(), {})
    [offer] = sonar.offers
    assert (offer.request_picodollars, offer.search_picodollars) == billed


def test_a_changed_price_is_in_force(log: Log) -> None:
    log.sync([entry("m1", 1_500_000), *anchors()[1:]])
    assert log.sold() == {**USUAL, "acme/m1": 1_500_000}


def test_what_is_told_is_the_difference_to_the_list_before(log: Log) -> None:
    listed = [*anchors(), entry("new", 2_000_000)]
    assert len(log.sync(listed).events) == 1
    assert log.sync(listed).events == ()


def test_a_price_that_changed_by_more_than_three_times_is_put_aside() -> None:
    log = Log(tuple(model(f"acme/m{n}", f"m{n}", 1_000_000) for n in range(10)))
    for price in (3_000_001, 333_332):
        log.sync([entry("m0", price), *(entry(f"m{n}", 1_000_000) for n in range(1, 10))])
        assert held(log) == {"m0": "change"}
        assert log.sold()["acme/m0"] == 1_000_000


def test_among_many_anchors_one_that_changed_harms_nobody_else() -> None:
    log = Log(tuple(model(f"acme/m{n}", f"m{n}", 1_000_000) for n in range(20)))
    listed = [entry(f"m{n}", 1_000_000) for n in range(1, 20)]
    log.sync([entry("m0", 10_000_000), *listed, entry("new", 2_000_000)])
    assert held(log) == {"m0": "change"}
    assert log.sold()["acme/m0"] == 1_000_000
    assert log.sold()["acme/new"] == 2_000_000


def test_a_list_in_another_unit_is_believed_in_nothing(log: Log) -> None:
    log.sync([*(replace(one, prices=prices(n)) for n, one in enumerate(anchors(), 1000))])
    assert set(held(log).values()) == {"anchors"}
    log.sync([*(entry(f"m{n}", n * 10**9) for n in range(1, 6)), entry("new", 10**9)])
    assert held(log)["new"] == "anchors"
    assert log.sold() == USUAL


def test_with_fewer_than_three_anchors_no_price_is_believed() -> None:
    log = Log((model("acme/m1", "m1", 1_000_000), model("acme/m2", "m2", 2_000_000)))
    log.sync([*anchors()[:2], entry("new", 1_000_000)])
    assert held(log) == {"new": "anchors"}
    assert "acme/new" not in log.sold()


def test_a_price_out_of_bounds_is_put_aside(log: Log) -> None:
    log.sync([*anchors(), entry("new", 2 * 10**9), entry("tiny", 1)])
    assert held(log) == {"new": "bounds", "tiny": "bounds"}


def test_prices_that_do_not_fit_each_other_are_put_aside(log: Log) -> None:
    unlikely = replace(prices(1_000_000), cache_read_picodollars=9_999)
    odd = ListedOffer(native_id="odd", prices=unlikely)
    log.sync([*anchors(), odd])
    assert held(log) == {"odd": "proportions"}


def test_a_model_that_costs_something_else_everywhere_else_is_put_aside(log: Log) -> None:
    known = replace(log.known(), elsewhere=lambda _: Spread((10**6, 2 * 10**6), (4 * 10**6,) * 2))
    synced = decide_of(known, [*anchors(), entry("new", 10**5)])
    assert [one.why for one in quarantined(synced)] == ["elsewhere"]


def test_a_quarantine_is_told_once_and_ends_when_the_price_is_as_before(log: Log) -> None:
    listed = [*anchors(), entry("new", 2 * 10**9)]
    assert quarantined(log.sync(listed).events)
    assert log.sync(listed).events == ()
    log.sync([*anchors(), entry("new", 1_000_000)])
    assert held(log) == {}
    assert log.sold()["acme/new"] == 1_000_000


def test_the_operator_releases_a_price(log: Log) -> None:
    log.sync([*anchors(), entry("new", 2 * 10**9)])
    log.record(*decide_release(PROVIDER, "new", "so it is", log.feeds[PROVIDER].quarantined))
    assert held(log) == {}
    assert log.sold()["acme/new"] == 2 * 10**9
    with pytest.raises(NotFound):
        decide_release(PROVIDER, "new", "again", log.feeds[PROVIDER].quarantined)


def test_a_released_price_stays_in_force_with_the_next_list() -> None:
    log = Log((model("acme/m1", "m1", 1_000_000), model("acme/m2", "m2", 2_000_000)))
    listed = [entry("m1", 9_000_000), entry("m2", 18_000_000), entry("m3", 5_000_000)]
    log.sync(listed)
    log.record(*decide_release(PROVIDER, None, "new prices", log.feeds[PROVIDER].quarantined))
    log.sync(listed)
    assert held(log) == {}
    assert log.sold() == {"acme/m1": 9_000_000, "acme/m2": 18_000_000, "acme/m3": 5_000_000}


def test_what_leaves_the_list_is_off_sale_and_back_when_it_returns(log: Log) -> None:
    log.sync(anchors()[1:])
    assert "acme/m1" not in log.sold()
    log.sync(anchors())
    assert log.sold() == USUAL


def test_what_was_never_on_the_list_is_not_taken_off_sale() -> None:
    log = Log()
    log.sync(anchors()[1:])
    log.sync(anchors()[1:])
    assert log.sold() == USUAL


def test_a_list_that_lost_more_than_half_is_put_aside_and_told_once(log: Log) -> None:
    synced = log.sync(anchors()[:2])
    assert synced.events == (SyncRefused(provider=PROVIDER, why="shrunk", listed=2),)
    assert log.sync(anchors()[:2]).events == ()
    assert log.sold() == USUAL
    log.sync(anchors()[:2], accept_fewer=True)
    assert set(log.sold()) == {"acme/m1", "acme/m2"}


def test_a_list_that_lost_most_of_its_prices_is_put_aside(log: Log) -> None:
    fresh = [f"x{n}" for n in range(5)]
    log.sync([*anchors(), *(entry(name, 1_000_000) for name in fresh)])
    before = log.sold()
    assert log.sync([*anchors(), *(entry(name, None) for name in fresh)]).refused == "shrunk"
    assert log.sold() == before


def test_an_empty_list_changes_nothing_and_is_told_once(log: Log) -> None:
    assert log.sync([]).refused == "empty"
    assert log.sync([]).events == ()
    assert log.sold() == USUAL


def test_a_good_list_after_a_bad_one_is_told(log: Log) -> None:
    log.record(*refused(PROVIDER, "failed", log.known()).events)
    assert log.sync(anchors()).events == (OffersSynced(provider=PROVIDER),)
    assert log.feeds[PROVIDER].refused is None


def test_a_long_list_makes_events_of_bounded_size(log: Log) -> None:
    synced = log.sync([*anchors(), *(entry(f"x{n}", 1_000_000) for n in range(250))])
    sizes = [len(one.offers) for one in synced.events if isinstance(one, OffersSynced)]
    assert sizes == [PER_EVENT, PER_EVENT, 50]


def test_a_delisted_offer_stays_off_sale_whatever_the_list_says(log: Log) -> None:
    listed = [*anchors(), entry("new", 1_000_000)]
    log.sync(listed)
    for native_id in ("m1", "new"):
        log.record(OfferDelisted(provider=PROVIDER, native_id=native_id, reason="bad answers"))
    log.sync([*listed, entry("more", 1_000_000)])
    assert {"acme/m1", "acme/new"}.isdisjoint(log.sold())
    log.record(OfferRelisted(provider=PROVIDER, native_id="new", reason="better"))
    assert "acme/new" in log.sold()


def test_what_the_operator_configured_is_not_overruled() -> None:
    own = model("acme/m1", "m1", 1_000_000)
    offer = replace(own.offers[0], source="configuration")
    log = Log((replace(own, offers=(offer,)), *Log().models[1:]))
    log.sync([entry("m1", 1_100_000), *anchors()[1:]])
    log.sync(anchors()[1:])
    assert log.sold()["acme/m1"] == 1_000_000


def test_a_list_fills_in_what_is_not_known_and_leaves_the_rest() -> None:
    bare = replace(model("acme/m1", "m1", 1_000_000), context_length=None)
    log = Log((bare, *Log().models[1:]))
    told = entry("m1", 1_000_000, context_length=4096, max_output_tokens=7)
    (event,) = log.sync([told, *anchors()[1:]]).events
    assert isinstance(event, OffersSynced)
    (offer,) = event.offers
    assert (offer.context_length, offer.max_output_tokens, offer.prices) == (4096, None, None)


def decide_of(known: Known, listed: list[ListedOffer]) -> tuple[Event, ...]:
    return decide_sync(PROVIDER, ModelListing(tuple(listed), True), known).events


def quarantined(events: tuple[Event, ...]) -> list[QuarantinedPrice]:
    return [one for event in events if isinstance(event, PricesQuarantined) for one in event.prices]
