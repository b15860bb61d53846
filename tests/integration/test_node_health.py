"""What one node learns of a provider every node goes by, and who flaps is left in peace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.providers.http import HttpProvider
from adapters.providers.openai_chat import OpenAIChatWire
from adapters.providers.session import HttpSession
from adapters.sqlite.event_store import SqliteEventStore
from adapters.system.clock import SystemClock
from domain.dialects.surface import Head
from domain.inference.events import AttemptRecord, OfferRef
from domain.ports.provider import CallTimeouts, Provider
from domain.providers.board import BOARD_EVENTS, BreakerBoard, Scope
from domain.providers.breaker import BreakerPolicy
from domain.routing.candidates import Candidate
from domain.routing.policy import AttemptLimits
from domain.routing.routes import Routes, RoutingPolicy
from tests.support.manual_clock import ManualClock
from tests.support.scripted_provider import ScriptedProvider, answer, error
from tests.support.stores import opened_store
from workers.attempts import Answered, AttemptEngine, GaveUp, InferenceRequest
from workers.breakers import BreakerKeeper
from workers.directory import DirectoryFollower
from workers.health import HealthRecorder
from workers.node_health import NodeHealth
from workers.own_providers import OWN_KEYS

FIRST, SECOND = OfferRef(provider="h1", native_id="alpha"), OfferRef(provider="h2", native_id="b")
UNDER_OWN_KEY = replace(FIRST, own_key="pkey_1")
REQUEST = InferenceRequest(
    endpoint="/v1/chat/completions",
    head=Head("chatcmpl-1", "acme/alpha", 1_700_000_000),
    offers=(FIRST, SECOND),
    body={"model": "alpha", "messages": [{"role": "user", "content": "Say it."}], "max_tokens": 9},
    request_id="job_1",
)
MODEL = "acme/alpha"
CANDIDATES = tuple(
    Candidate(
        provider=one.provider,
        native_id=one.native_id,
        input_picodollars=price,
        output_picodollars=price,
    )
    for one, price in ((FIRST, 10), (SECOND, 20))
)


@dataclass
class Node:
    """One node with its boards, over the store that all nodes share."""

    health: NodeHealth
    board: BreakerBoard
    follower: DirectoryFollower
    engine: AttemptEngine

    async def run(self, request: InferenceRequest = REQUEST) -> Answered | GaveUp:
        return await self.engine.run(request, _ignored)

    async def answered_by(self, times: int = 1) -> list[str]:
        results = [await self.run() for _ in range(times)]
        return [r.offer.provider if isinstance(r, Answered) else "nobody" for r in results]


@dataclass
class Site:
    """Two providers and any number of nodes."""

    first: ScriptedProvider
    second: ScriptedProvider
    session: HttpSession
    store: SqliteEventStore
    clock: ManualClock

    def node(self, name: str) -> Node:
        board = BreakerBoard()
        keeper = BreakerKeeper(board, self.store, self.clock, name, BreakerPolicy())
        recorder = HealthRecorder(self.store, self.clock, name)
        health = NodeHealth(self.store.log, recorder, keeper)
        providers: dict[str, Provider] = {
            one: HttpProvider(self.session, OpenAIChatWire(upstream.base_url, "key"))
            for one, upstream in (
                ("h1", self.first),
                ("h2", self.second),
                (OWN_KEYS, self.first),
            )
        }
        engine = AttemptEngine(
            providers,
            self.clock,
            AttemptLimits(),
            CallTimeouts(2, 2, 2, 2),
            health.observe,
            health=health,
            sleep=self.clock.sleep,
        )
        follower = DirectoryFollower(self.store, self.store.log, BOARD_EVENTS, board.apply)
        return Node(health, board, follower, engine)

    async def shared(self, told: Node, *others: Node) -> None:
        """Records what one node knows; the others follow."""
        await told.health.flush()
        for node in (told, *others):
            await node.follower.load()


@asynccontextmanager
async def opened_site(folder: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(ScriptedProvider())
        second = await stack.enter_async_context(ScriptedProvider())
        store = await stack.enter_async_context(opened_store(folder / "events.db"))
        session = HttpSession()
        stack.push_async_callback(session.close)
        yield Site(first, second, session, store, ManualClock())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened_site(tmp_path) as opened:
        yield opened


async def _ignored(_record: AttemptRecord) -> None:
    """Nothing is kept of failed attempts here."""


async def test_a_provider_that_fails_is_called_no_more_and_nobody_notices(site: Site) -> None:
    site.first.default = error(503)
    node = site.node("n1")
    assert await node.answered_by(50) == ["h2"] * 50
    assert len(site.first.requests) == 5


async def test_a_provider_that_flaps_is_not_hammered(site: Site) -> None:
    """It fails for an hour, one request a second; its breaker lets fewer and fewer calls try."""
    site.first.default = error(503)
    node = site.node("n1")
    for _ in range(3_600 // 5):
        assert await node.answered_by() == ["h2"]
        site.clock.pass_seconds(5)
    # 5 to open it, then after 1, 2, 4, 8 and every 10 minutes one call.
    assert len(site.first.requests) <= 5 + 10


async def test_it_is_called_again_once_it_answers(site: Site) -> None:
    site.first.default = error(503)
    node = site.node("n1")
    await node.answered_by(5)
    site.first.default = answer()
    assert await node.answered_by() == ["h2"]
    site.clock.pass_seconds(60)
    assert await node.answered_by(5) == ["h1"] * 5
    assert node.board[Scope("h1", "alpha")].breaker.phase == "closed"


async def test_one_call_at_a_time_tries_a_provider_that_failed(site: Site) -> None:
    site.first.default = error(503)
    node = site.node("n1")
    await node.answered_by(5)
    site.first.default = answer(delay=0.1)
    site.clock.pass_seconds(60)
    before = len(site.first.requests)
    results = await asyncio.gather(*(node.answered_by() for _ in range(10)))
    assert len(site.first.requests) == before + 1
    assert sorted(name for (name,) in results) == ["h1", *["h2"] * 9]


async def test_a_call_that_its_customer_gives_up_leaves_the_next_one_to_try(site: Site) -> None:
    site.first.default = error(503)
    node = site.node("n1")
    await node.answered_by(5)
    site.first.default = answer(delay=30)
    site.clock.pass_seconds(60)
    trying = asyncio.create_task(node.run())
    while len(site.first.requests) < 6:
        await asyncio.sleep(0.01)
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
    site.first.default = answer()
    assert await node.answered_by() == ["h1"]


async def test_a_breaker_that_one_node_opens_is_open_on_every_other(site: Site) -> None:
    site.first.default = error(503)
    one, other = site.node("n1"), site.node("n2")
    await one.answered_by(5)
    await site.shared(one, other)
    calls = len(site.first.requests)
    assert await other.answered_by(10) == ["h2"] * 10
    assert len(site.first.requests) == calls


async def test_a_node_that_starts_later_knows_what_is_open(site: Site) -> None:
    site.first.default = error(503)
    one = site.node("n1")
    await one.answered_by(5)
    await site.shared(one)
    late = site.node("n2")
    await late.follower.load()
    calls = len(site.first.requests)
    await late.answered_by(3)
    assert len(site.first.requests) == calls


async def test_of_two_nodes_that_open_a_breaker_at_once_one_is_recorded(site: Site) -> None:
    site.first.default = error(503)
    one, other = site.node("n1"), site.node("n2")
    await one.answered_by(5)
    await other.answered_by(5)
    await site.shared(one, other)
    await site.shared(other, one)
    names = [entry.event.event_name for entry in await site.store.read_log(0, 100)]  # type: ignore[union-attr]
    assert names.count("providers.breaker.opened") == 1
    assert names.count("providers.incident.opened") == 1


async def test_a_breaker_closes_on_every_node(site: Site) -> None:
    site.first.default = error(503)
    one, other = site.node("n1"), site.node("n2")
    await one.answered_by(5)
    await site.shared(one, other)
    site.first.default = answer()
    site.clock.pass_seconds(60)
    await one.answered_by(3)
    await site.shared(one, other)
    assert await other.answered_by() == ["h1"]
    names = [entry.event.event_name for entry in await site.store.read_log(0, 100)]  # type: ignore[union-attr]
    assert [name for name in names if "observed" not in name] == [
        "providers.breaker.opened",
        "providers.incident.opened",
        "providers.breaker.half_opened",
        "providers.breaker.closed",
        "providers.incident.resolved",
    ]


async def test_one_models_404_leaves_the_other_models_of_its_host_alone(site: Site) -> None:
    site.first.default = error(404)
    node = site.node("n1")
    await node.answered_by(8)
    site.first.default = answer()
    other = replace(REQUEST, offers=(OfferRef(provider="h1", native_id="beta"), SECOND))
    result = await node.run(other)
    assert isinstance(result, Answered)
    assert result.offer.provider == "h1"


async def test_a_refused_credential_leaves_every_model_of_the_host_alone(site: Site) -> None:
    site.first.default = error(401)
    node = site.node("n1")
    await node.answered_by(5)
    other = replace(REQUEST, offers=(OfferRef(provider="h1", native_id="beta"), SECOND))
    calls = len(site.first.requests)
    result = await node.run(other)
    assert isinstance(result, Answered)
    assert result.offer.provider == "h2"
    assert len(site.first.requests) == calls


async def test_what_callers_do_wrong_opens_nothing(site: Site) -> None:
    site.first.default = error(400)
    node = site.node("n1")
    assert await node.answered_by(20) == ["nobody"] * 20
    assert not node.board.troubled


async def test_with_every_breaker_open_each_request_still_makes_one_attempt(site: Site) -> None:
    site.first.default = site.second.default = error(503)
    node = site.node("n1")
    await node.answered_by(10)
    assert len(node.board.troubled) == 2
    before = len(site.first.requests) + len(site.second.requests)
    await node.answered_by(10)
    assert len(site.first.requests) + len(site.second.requests) == before + 10


async def test_calls_with_a_customers_own_key_open_and_measure_nothing(site: Site) -> None:
    node, request = site.node("n1"), replace(REQUEST, offers=(UNDER_OWN_KEY,))
    site.first.default = error(503)
    for _ in range(10):
        await node.run(request)
    site.first.default = answer()
    assert isinstance(await node.run(request), Answered)
    await node.health.flush()
    assert not node.board.troubled
    assert await site.store.head() == 0


async def test_an_open_breaker_keeps_nobody_from_calling_with_their_own_key(site: Site) -> None:
    node = site.node("n1")
    site.first.default = error(401)
    await node.answered_by(5)
    site.first.default = answer()
    assert await node.answered_by() == ["h2"]
    result = await node.run(replace(REQUEST, offers=(FIRST, UNDER_OWN_KEY, SECOND)))
    assert isinstance(result, Answered)
    assert result.offer == UNDER_OWN_KEY


async def test_by_latency_the_lead_moves_once_there_are_enough_samples(site: Site) -> None:
    site.first.default, site.second.default = answer(delay=0.05), answer()
    node = site.node("n1")
    node.engine._clock = SystemClock()  # the durations are real
    routes = Routes(
        RoutingPolicy(strategy="latency"), node.health.recorder.board, node.health.avoided
    )
    firsts: list[str] = []
    for number in range(150):
        ordered = routes.order(MODEL, CANDIDATES, f"job_{number}", site.clock.now())
        firsts.append(ordered.offers[0].provider)
        await node.run(replace(REQUEST, offers=ordered.offers))
        await node.health.recorder.flush()
        site.clock.pass_seconds(1)
    moved = next(i for i in range(150) if firsts[i:].count("h2") >= 0.95 * len(firsts[i:]))
    assert firsts[:10].count("h1") >= 7
    assert moved < 140
    changes = sum(one != other for one, other in pairwise(firsts[moved:]))
    assert changes <= 2


async def test_other_nodes_measure_for_a_node_too(site: Site) -> None:
    one, other = site.node("n1"), site.node("n2")
    await one.answered_by(3)
    await one.health.recorder.flush()
    for entry in await site.store.read_log(0, 100):
        other.health.recorder.follow(entry)
        one.health.recorder.follow(entry)
    now = site.clock.now()
    assert other.health.recorder.board.of("h1", "alpha", now).samples == 3
    assert one.health.recorder.board.of("h1", "alpha", now).samples == 3
