"""What a requested name may mean: ids, aliases, pins, makers, providers' own ids."""

import time

import pytest

from domain.catalog.catalogue import Catalogue, Model
from domain.catalog.offers import Offer
from domain.errors import NotFound
from domain.inference.events import Endpoint

CHAT: Endpoint = "/v1/chat/completions"


def offer(provider: str, native_id: str, price: int = 10, **others: bool) -> Offer:
    return Offer(
        provider=provider,
        native_id=native_id,
        input_picodollars=price,
        output_picodollars=price,
        **others,  # type: ignore[arg-type]
    )


LARGE = Model(
    id="acme/large-2",
    offers=(offer("router", "acme/large-2", 30), offer("acme", "large-2-20260101", 20)),
)
SMALL = Model(id="acme/small", offers=(offer("acme", "shared"), offer("shut", "small")))
FREE = Model(id="acme/large-2:free", offers=(offer("router", "acme/large-2:free", 0),), free=True)
OTHER = Model(id="bolt/other", offers=(offer("router", "shared"), offer("router", "bolt/other")))
ALIASES = {"large": "acme/large-2", "small": "acme/small", "latest": "acme/large-2"}


@pytest.fixture(scope="module")
def sold() -> Catalogue:
    return Catalogue(
        (LARGE, SMALL, FREE, OTHER),
        ALIASES,
        providers=("acme", "router"),
        makers={"acme-ai": "acme"},
    )


def meant(sold: Catalogue, name: str) -> tuple[str, list[tuple[str, str]]]:
    resolved = sold.resolve(name, CHAT)
    return resolved.model.id, [(one.provider, one.native_id) for one in resolved.offers]


EVERY = ("acme/large-2", [("acme", "large-2-20260101"), ("router", "acme/large-2")])


@pytest.mark.parametrize(
    "name", ["acme/large-2", "large", "ACME/Large-2", " Large ", "acme-ai/large-2", "latest"]
)
def test_ids_aliases_and_makers_are_names_in_any_case(sold: Catalogue, name: str) -> None:
    assert meant(sold, name) == EVERY


def test_a_providers_own_id_is_a_name_where_it_is_of_one_model(sold: Catalogue) -> None:
    assert meant(sold, "large-2-20260101") == EVERY
    with pytest.raises(NotFound):
        sold.resolve("shared", CHAT)


@pytest.mark.parametrize("name", ["router:acme/large-2", "router/acme/large-2", "router:large"])
def test_a_provider_before_the_name_pins_it(sold: Catalogue, name: str) -> None:
    assert meant(sold, name) == ("acme/large-2", [("router", "acme/large-2")])
    assert sold.resolve(name, CHAT).pinned == "router"


def test_a_pin_takes_the_providers_own_ids(sold: Catalogue) -> None:
    assert meant(sold, "acme:shared")[0] == "acme/small"
    assert meant(sold, "router:shared") == ("bolt/other", [("router", "shared")])


def test_a_pin_of_a_provider_that_is_not_enabled_says_so(sold: Catalogue) -> None:
    with pytest.raises(NotFound, match="'shut', which is not enabled"):
        sold.resolve("shut:small", CHAT)


def test_an_id_is_never_taken_for_a_pin(sold: Catalogue) -> None:
    assert meant(sold, "acme/small") == ("acme/small", [("acme", "shared")])


def test_the_terms_behind_an_alias_stay_with_their_own_offers(sold: Catalogue) -> None:
    assert meant(sold, "large:free") == ("acme/large-2:free", [("router", "acme/large-2:free")])


def test_what_is_not_offered_for_free_is_never_sold_instead(sold: Catalogue) -> None:
    for name in ("small:free", "acme/small:free", "bolt/other:free", "acme:small:free"):
        with pytest.raises(NotFound):
            sold.resolve(name, CHAT)


def test_what_is_on_its_way_out_comes_last() -> None:
    old = offer("acme", "x", 1, deprecated=True)
    model = Model(id="acme/x", offers=(old, offer("router", "x", 9)))
    sold = Catalogue((model,), providers=("acme", "router"))
    assert [one.provider for one in sold.resolve("acme/x", CHAT).offers] == ["router", "acme"]


def test_a_miss_among_ten_thousand_names_is_told_quickly() -> None:
    models = [
        Model(id=f"maker-{number % 97}/model-{number}-instruct", offers=(offer("acme", "x"),))
        for number in range(10_000)
    ]
    sold = Catalogue(models, providers=("acme",))
    with pytest.raises(NotFound, match="maker-3/model-4077-instruct"):
        sold.resolve("maker-3/model-4077-instrukt", CHAT)  # makes the index
    started = time.process_time()
    with pytest.raises(NotFound):
        sold.resolve("maker-3/model-4077-instrukt", CHAT)
    assert time.process_time() - started < 0.1
