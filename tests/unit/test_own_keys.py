"""Under which keys requests go to a provider, and what that lets an account call."""

import pytest

from domain.access.provider_keys.directory import ProviderKeyEntry
from domain.access.provider_keys.ways import keys_at
from domain.catalog.catalogue import Catalogue, Model
from domain.catalog.offers import Offer
from domain.catalog.reach import KEPT, reach_of
from domain.sealed import Sealed


def own(*, fallback: bool) -> ProviderKeyEntry:
    return ProviderKeyEntry(
        "pk_1", "acct_1", "h1", Sealed("dk_1", "pk_1/secret", 3), "last", fallback, 0
    )


@pytest.mark.parametrize(
    ("key", "is_sold", "keys"),
    [
        (None, True, (None,)),
        (None, False, ()),
        (own(fallback=False), True, ("pk_1",)),
        (own(fallback=True), True, ("pk_1", None)),
        (own(fallback=True), False, ("pk_1",)),
    ],
)
def test_the_houses_key_follows_where_it_may_and_can(
    key: ProviderKeyEntry | None, is_sold: bool, keys: tuple[str | None, ...]
) -> None:
    assert keys_at(key, is_sold=is_sold) == keys


def catalogue() -> Catalogue:
    def offer(provider: str) -> Offer:
        return Offer(
            provider=provider, native_id="m", input_picodollars=1000, output_picodollars=1000
        )

    models = [Model(id=f"acme/{name}", offers=(offer(name),)) for name in ("h1", "h2", "h3")]
    return Catalogue(models, providers=["h1"])


def test_keys_widen_what_can_be_called_and_nothing_else() -> None:
    sold = catalogue()
    assert [one.model.id for one in reach_of(sold).listed] == ["acme/h1"]
    assert [one.model.id for one in reach_of(sold, ["h3"]).listed] == ["acme/h1", "acme/h3"]
    assert [one.model.id for one in reach_of(sold).listed] == ["acme/h1"]
    assert len(reach_of(sold, ["h3"]).every) == 3


def test_a_reach_is_put_together_once() -> None:
    sold = catalogue()
    first = reach_of(sold, ["h3"])
    assert reach_of(sold, ["h1", "h3"]) is first  # the house sells h1 already
    for number in range(KEPT):
        reach_of(sold, [f"other-{number}"])
    assert reach_of(sold, ["h3"]) is not first
