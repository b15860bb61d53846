"""Laws of what providers' lists may do to prices, under generated lists."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.events import OfferDelisted
from domain.catalog.feeds import Feeds
from domain.catalog.listing import ListedOffer
from tests.support.lists import ANCHORS, PROVIDER, Log, anchors, entry, sold

NAMES = ("m1", "m2", "m3", "m4", "m5", "x1", "x2", "x3")
PRICES = st.one_of(st.none(), st.integers(-1, 3 * 10**9))
ENTRIES = st.builds(entry, st.sampled_from(NAMES), PRICES)
LISTS = st.lists(ENTRIES, max_size=len(NAMES), unique_by=lambda one: one.native_id)
HISTORIES = st.lists(LISTS, min_size=1, max_size=6)
POWERS = st.integers(-6, 6).filter(bool)


def scaled(price: int, power: int) -> int:
    return price * int(10**power) if power > 0 else price // int(10**-power)


@given(POWERS)
def test_a_list_off_by_a_power_of_ten_changes_no_price(power: int) -> None:
    log = Log()
    fresh = [entry("x1", 2_000_000), entry("x2", 3_000_000)]
    log.sync([*anchors(), *fresh])
    before = log.sold()
    log.sync([_off(one, power) for one in (*anchors(), *fresh, entry("x3", 1_000_000))])
    assert log.sold() == before


@given(POWERS, st.sets(st.sampled_from(NAMES[:5]), min_size=1))
def test_prices_off_by_a_power_of_ten_never_become_selling_prices(
    power: int, wrong: set[str]
) -> None:
    log = Log()
    log.sync(anchors())
    before = log.sold()
    log.sync([_off(one, power) if one.native_id in wrong else one for one in anchors()])
    assert log.sold() == before


@given(HISTORIES)
def test_no_known_price_moves_by_more_than_three_times_at_once(
    history: Sequence[Sequence[ListedOffer]],
) -> None:
    log = Log()
    for listed in history:
        before = log.sold()
        log.sync(listed)
        after = log.sold()
        for name in before.keys() & after.keys():
            assert before[name] <= 3 * after[name]
            assert after[name] <= 3 * before[name]


@given(POWERS, st.sampled_from(["missing", "gone"]))
def test_a_price_that_was_away_for_a_while_is_held_against_the_last_one(
    power: int, how: str
) -> None:
    log = Log()
    log.sync([*anchors(), entry("x1", 2_000_000)])
    log.sync([*anchors(), entry("x1", None)] if how == "missing" else anchors(), accept_fewer=True)
    assert "acme/x1" not in log.sold()
    log.sync([*anchors(), entry("x1", scaled(2_000_000, power))])
    assert "acme/x1" not in log.sold()


@given(HISTORIES, st.sampled_from(NAMES))
def test_delisting_survives_every_list(
    history: Sequence[Sequence[ListedOffer]], delisted: str
) -> None:
    log = Log()
    log.sync([*anchors(), entry("x1", 1_000_000)])
    log.record(OfferDelisted(provider=PROVIDER, native_id=delisted, reason="so"))
    for listed in history:
        log.sync(listed, accept_fewer=True)
        assert f"acme/{delisted}" not in log.sold()


@given(HISTORIES)
def test_the_log_replayed_sells_the_same(history: Sequence[Sequence[ListedOffer]]) -> None:
    log = Log()
    for listed in history:
        log.sync(listed)
    again = Feeds()
    for recorded in log.recorded:
        again.apply(recorded)
        again.apply(recorded)  # every message may come twice
    assert sold(ANCHORS, again) == log.sold()


@given(LISTS)
def test_the_same_list_again_records_nothing(listed: Sequence[ListedOffer]) -> None:
    log = Log()
    log.sync(listed)
    assert log.sync(listed).events == ()


def _off(one: ListedOffer, power: int) -> ListedOffer:
    assert one.prices is not None
    assert one.prices.input_picodollars is not None
    return entry(one.native_id, scaled(one.prices.input_picodollars, power))
