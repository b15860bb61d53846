"""Idle providers are asked for their lists of models, and nobody else is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.sqlite.event_store import SqliteEventStore
from domain.inference.events import AttemptRecord
from domain.providers.board import BreakerBoard, Scope
from domain.providers.breaker import BreakerPolicy
from domain.providers.events import AttemptsObserved, ProbeCompleted
from domain.providers.health import HealthBoard
from tests.support.manual_clock import ManualClock
from tests.support.stores import opened_store
from workers.breakers import BreakerKeeper
from workers.probes import ProbeIntervals, ProbePorts, Prober, ProbeResult

INTERVALS = ProbeIntervals(popular=300, rest=7200)


@dataclass
class Stage:
    """One provider that is asked, and what is known of it."""

    store: SqliteEventStore
    outcome: str | None = "ok"
    asked: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    health: HealthBoard = field(default_factory=HealthBoard)
    breakers: BreakerBoard = field(default_factory=BreakerBoard)

    def __post_init__(self) -> None:
        self.keeper = BreakerKeeper(self.breakers, self.store, self.clock, "n1", BreakerPolicy())
        ports = ProbePorts(self.store, self.clock, self.health, self.keeper, lambda: 0.5)
        self.prober = Prober(ports, {"h1": self.ask}, INTERVALS, "n1")

    async def ask(self) -> ProbeResult | None:
        self.asked += 1
        return None if self.outcome is None else ProbeResult(self.outcome, 12)

    async def after(self, seconds: float) -> int:
        """How often it has been asked once so many more seconds have passed."""
        self.clock.pass_seconds(seconds)
        await self.prober.once()
        return self.asked

    def used(self) -> None:
        """Some node had traffic with it."""
        observed = AttemptsObserved(
            provider="h1",
            node_id="n2",
            second=0,
            succeeded=1,
            duration_ms_sum=1,
            failures=(),
        )
        self.health.take(observed, self.clock.now())

    def fails(self, times: int) -> None:
        for _ in range(times):
            attempt = AttemptRecord(
                provider="h1",
                native_id="alpha",
                started_at=self.clock.now(),
                duration_ms=1,
                outcome="connect",
            )
            self.keeper.observe(attempt)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with opened_store(tmp_path / "events.db") as store:
        yield Stage(store)


async def test_a_fresh_node_waits_a_moment_before_it_asks(stage: Stage) -> None:
    assert await stage.after(59) == 0
    assert await stage.after(2) == 1


async def test_a_provider_that_nobody_uses_is_asked_rarely(stage: Stage) -> None:
    await stage.after(61)
    assert await stage.after(0.7 * INTERVALS.rest) == 1
    assert await stage.after(0.1 * INTERVALS.rest) == 2


async def test_a_provider_that_is_used_is_asked_once_it_is_idle(stage: Stage) -> None:
    stage.used()
    assert await stage.after(200) == 0
    assert await stage.after(30) == 1


async def test_a_provider_with_traffic_is_never_asked(stage: Stage) -> None:
    for _ in range(20):
        stage.used()
        assert await stage.after(100) == 0


async def test_a_probe_that_crashes_stops_no_other(stage: Stage) -> None:
    async def crashes() -> ProbeResult | None:
        raise RuntimeError("nobody foresaw it")

    ports = ProbePorts(stage.store, stage.clock, stage.health, stage.keeper, lambda: 0.5)
    both = Prober(ports, {"h0": crashes, "h1": stage.ask}, INTERVALS, "n1")
    stage.clock.pass_seconds(120)
    await both.once()
    assert stage.asked == 1


async def test_what_a_probe_says_is_recorded(stage: Stage) -> None:
    await stage.after(61)
    (entry,) = await stage.store.read_log(0, 10)
    assert entry.event == ProbeCompleted(  # type: ignore[union-attr]
        provider="h1", node_id="n1", outcome="ok", duration_ms=12
    )


async def test_a_provider_without_a_list_is_not_asked_again(stage: Stage) -> None:
    stage.outcome = None
    await stage.after(61)
    assert await stage.after(10 * INTERVALS.rest) == 1
    assert await stage.store.read_log(0, 10) == []


async def test_probes_alone_open_the_breaker_of_a_provider_that_is_away(stage: Stage) -> None:
    stage.outcome = "connect"
    for _ in range(5):
        await stage.after(INTERVALS.rest)
    assert stage.breakers[Scope("h1")].breaker.phase == "open"
    assert stage.breakers[Scope("h1", "alpha")].breaker.phase == "closed"


async def test_probes_bring_a_provider_back_without_any_customers_request(stage: Stage) -> None:
    stage.used()
    stage.fails(5)
    assert await stage.after(59) == 0
    assert await stage.after(1) == 1
    assert stage.breakers[Scope("h1")].breaker.phase == "half_open"
    assert await stage.after(5) == 2
    assert stage.breakers[Scope("h1")].breaker.phase == "closed"
