"""Lists that are dead, slow, half written or huge change nothing, and harm no other provider."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.providers.model_lists.fetching import HttpModelList, ListPlace
from adapters.providers.model_lists.pages import ListForm
from adapters.providers.session import HttpSession
from adapters.sqlite.event_store import SqliteEventStore
from domain.catalog.catalogue import Catalogue
from domain.catalog.events import OffersSynced, SyncRefused
from domain.catalog.feeds import FEED_EVENT_NAMES, Feeds
from domain.catalog.listing import ListUnavailable, ModelListing, UnreadableList
from infra.known_offers import KnownOffers
from infra.model_lists import model_lists
from infra.offers import build_catalogue
from infra.settings import Settings, load_settings
from tests.support.list_provider import ListProvider, listed, settings_of, usual
from tests.support.manual_clock import ManualClock
from tests.support.scripted_upstream import ScriptedUpstream, sending
from tests.support.stores import opened_store
from workers.catalogue_sync import CatalogueSync, SyncPorts
from workers.directory import DirectoryFollower

TIMEOUT = 0.3


@dataclass
class Node:
    """One node that syncs two providers on a shared store."""

    settings: Settings
    store: SqliteEventStore
    session: HttpSession
    clock: ManualClock = field(default_factory=ManualClock)
    feeds: Feeds = field(default_factory=Feeds)

    def __post_init__(self) -> None:
        log = self.store.log
        self.follower = DirectoryFollower(self.store, log, FEED_EVENT_NAMES, self.feeds.apply)
        known = KnownOffers(self.settings, self.feeds).of
        ports = SyncPorts(self.store, self.clock, known, self.follower.reached, lambda: 0.5)
        lists = model_lists(self.settings, self.session)
        self.sync = CatalogueSync(ports, lists, 3600, "n1")

    @property
    def catalogue(self) -> Catalogue:
        return build_catalogue(self.settings, self.feeds.copied())

    def sold(self, provider: str = "h2") -> set[str]:
        return {
            one.model.id
            for one in self.catalogue.listed()
            if any(offer.provider == provider for offer in one.offers)
        }


@pytest.fixture
async def provider() -> AsyncIterator[ListProvider]:
    async with ListProvider() as opened:
        opened.tell(usual(x1="1.00", x2="1.00"))
        yield opened


@pytest.fixture
async def other() -> AsyncIterator[ListProvider]:
    async with ListProvider() as opened:
        opened.tell(usual(y1="1.00"))
        yield opened


@pytest.fixture
async def nodes(
    tmp_path: Path, provider: ListProvider, other: ListProvider
) -> AsyncIterator[tuple[Node, Node]]:
    first, second = settings_of(provider.base_url), settings_of(other.base_url, "h3")
    models = {
        name: {"offers": one["offers"] + second["more_models"][name]["offers"]}
        for name, one in first["more_models"].items()
    }
    settings = load_settings(
        None,
        data_dir=tmp_path,
        providers={**first["more_providers"], **second["more_providers"]},
        models=models,
        catalogue={"timeout": TIMEOUT},
    )
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(tmp_path / "events.db"))
        session = HttpSession()
        stack.push_async_callback(session.close)
        made = Node(settings, store, session), Node(settings, store, session)
        following = [asyncio.create_task(one.follower.run()) for one in made]
        yield made
        for task in following:
            task.cancel()
        await asyncio.wait(following)


@pytest.fixture
async def node(nodes: tuple[Node, Node]) -> Node:
    (first, _) = nodes
    assert (await first.sync.sync("h2")).result == "synced"
    return first


USUAL = {"acme/m1", "acme/m2", "acme/m3", "acme/m4"}


async def test_a_list_is_taken_in(node: Node) -> None:
    assert {"acme/m1", "acme/m4"} < node.sold()
    assert len(node.sold()) == 6


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"status": 503}, "failed"),
        ({"status": 302}, "failed"),
        ({"delay": 5.0}, "failed"),
        ({"cut": True}, "failed"),
        ({"content": b'{"data":[{"id":"m1"}'}, "unreadable"),
        ({"content": b"<html>"}, "unreadable"),
        ({"content": b'{"data":[]}'}, "empty"),
    ],
)
async def test_a_bad_list_changes_nothing_and_is_told_once(
    node: Node, provider: ListProvider, how: dict[str, object], why: str
) -> None:
    before = node.sold()
    for name, value in how.items():
        setattr(provider, name, value)
    for _ in range(2):
        outcome = await node.sync.sync("h2")
        assert (outcome.result, outcome.why) == ("refused", why)
    assert node.sold() == before
    log = await node.store.read_stream("catalogue_h2")
    assert [one.event.why for one in log if isinstance(one.event, SyncRefused)] == [why]


async def test_a_list_that_is_gone_for_good_changes_nothing(
    node: Node, provider: ListProvider
) -> None:
    before = node.sold()
    await provider.__aexit__()
    assert (await node.sync.sync("h2")).why == "failed"
    assert node.sold() == before


async def test_a_bad_list_harms_no_other(nodes: tuple[Node, Node], provider: ListProvider) -> None:
    (node, _) = nodes
    provider.delay = 5.0
    node.clock.pass_seconds(90)
    await node.sync.once()
    assert node.feeds["h2"].refused == "failed"
    assert node.sold("h2") == USUAL
    assert len(node.sold("h3")) == 5


async def test_lists_are_read_on_schedule_and_not_at_once(
    nodes: tuple[Node, Node], provider: ListProvider
) -> None:
    (node, _) = nodes
    asked = []
    for seconds in (29, 61, 3000, 700):
        node.clock.pass_seconds(seconds)
        await node.sync.once()
        asked.append(provider.asked)
    assert asked == [0, 1, 1, 2]


async def test_of_two_nodes_that_sync_at_once_one_records(
    nodes: tuple[Node, Node], provider: ListProvider
) -> None:
    provider.delay = 0.05
    outcomes = await asyncio.gather(*(node.sync.sync("h2") for node in nodes))
    assert sorted(one.result for one in outcomes) == ["busy", "synced"]
    log = await nodes[0].store.read_stream("catalogue_h2")
    assert len([one for one in log if isinstance(one.event, OffersSynced)]) == 1


async def test_every_node_sells_what_one_of_them_read(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    await first.sync.sync("h2")
    await second.follower.reached(await second.store.head())
    assert first.sold() == second.sold()
    assert len(second.sold()) == 6


async def test_a_list_in_another_unit_changes_no_price(node: Node, provider: ListProvider) -> None:
    before = {one.model.id: one.offers for one in node.catalogue.listed()}
    provider.tell([listed(name, f"{1000 * n}.00") for n, name in enumerate(_natives(), 1)])
    assert (await node.sync.sync("h2")).quarantined == 2
    assert {one.model.id: one.offers for one in node.catalogue.listed()} == before


async def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    pages = (
        {"data": [{"id": "a"}], "has_more": True, "last_id": "a"},
        {"data": [{"id": "b"}], "has_more": False, "last_id": "b"},
    )
    async with ScriptedUpstream() as upstream:
        upstream.script(*(sending(page) for page in pages))
        listing = await read(upstream, ListForm("anthropic"))
        assert [one.native_id for one in listing.offers] == ["a", "b"]
        assert [one.path for one in upstream.requests] == [
            "/list?limit=9",
            "/list?limit=9&after_id=a",
        ]


async def test_a_list_whose_second_page_fails_is_no_list() -> None:
    page = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    async with ScriptedUpstream() as upstream:
        upstream.script(sending(page), sending(b"", status=500))
        with pytest.raises(ListUnavailable):
            await read(upstream, ListForm("anthropic"))


async def test_a_list_that_is_too_long_is_no_list() -> None:
    async with ScriptedUpstream() as upstream:
        upstream.script(sending(b'{"data":[' + b" " * 5000 + b"]}", portion=1000))
        with pytest.raises(UnreadableList):
            await read(upstream, ListForm(), max_bytes=2000)


async def read(upstream: ScriptedUpstream, form: ListForm, max_bytes: int = 10_000) -> ModelListing:
    async def headers(_: str) -> dict[str, str]:
        return {"authorization": "Bearer k"}

    session = HttpSession()
    try:
        place = ListPlace(f"{upstream.base_url}/list?limit=9", headers)
        return await HttpModelList(session, place, form, 5, max_bytes).read()
    finally:
        await session.close()


def _natives() -> list[str]:
    return ["m1", "m2", "m3", "m4", "x1", "x2"]
