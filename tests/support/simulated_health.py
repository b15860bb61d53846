"""Steps that write what providers do into a simulated log."""

from collections.abc import Callable

from domain.event import Event
from domain.ids import HOUSE_ACCOUNT
from domain.providers.board import BreakerBoard, Scope, Standing
from domain.providers.breaker import CLOSED, Breaker, BreakerPolicy, begun, opened
from domain.providers.decide import Cause, moved
from domain.providers.events import AttemptsObserved, FailureCount, OfferCounts, ProbeCompleted
from domain.providers.sketch import LatencyBucket
from tests.support.simulated_log import STARTED_AT, SimulatedLog

POLICY = BreakerPolicy()
PROVIDERS = ("h1", "h2")


def observed(
    provider: str = "h1",
    *,
    succeeded: int = 0,
    at_ms: int = STARTED_AT,
    durations: dict[int, int] | None = None,
    **failures: int,
) -> AttemptsObserved:
    """Attempts of one second at one offer; `durations` are counts by bucket."""
    counted = tuple(LatencyBucket(bucket=b, count=n) for b, n in (durations or {}).items())
    offer = OfferCounts(
        native_id="alpha",
        succeeded=succeeded,
        failed=sum(failures.values()),
        durations=counted,
        first_tokens=counted,
        output_tokens=5 * succeeded,
        generating_ms=10 * succeeded,
    )
    return AttemptsObserved(
        provider=provider,
        node_id="n1",
        second=at_ms // 1000,
        succeeded=succeeded,
        duration_ms_sum=20 * succeeded,
        failures=tuple(FailureCount(kind=kind, count=n) for kind, n in failures.items()),
        offers=(offer,),
    )


def board_of(log: SimulatedLog) -> BreakerBoard:
    """The breakers as the log has them."""
    board = BreakerBoard()
    for recorded in log.recorded():
        board.apply(recorded)
    return board


def move(log: SimulatedLog, scope: Scope, to: Callable[[Standing], Breaker], at: int) -> None:
    """Records what comes of moving a breaker."""
    standing = board_of(log)[scope]
    _, events = moved(scope, standing, to(standing), Cause("n1", at, "connect"))
    for event in events:
        log.append(HOUSE_ACCOUNT, scope.breaker_id, event)


def _observe(log: SimulatedLog, number: int) -> None:
    event: Event = observed(
        PROVIDERS[number % 2],
        succeeded=number % 4,
        at_ms=STARTED_AT + number * 600_000,
        durations={number % 50: number % 4} if number % 4 else {},
        server_error=number % 3,
        bad_request=number % 2,
    )
    log.append(HOUSE_ACCOUNT, f"health_{len(log.entries)}", event)


def _probe(log: SimulatedLog, number: int) -> None:
    outcome = "ok" if number % 3 else "connect"
    event = ProbeCompleted(provider="h2", node_id="n1", outcome=outcome, duration_ms=number)
    log.append(HOUSE_ACCOUNT, f"probe_{len(log.entries)}", event)


def _move(log: SimulatedLog, number: int) -> None:
    at = STARTED_AT + number * 700_000
    scope = Scope(PROVIDERS[number % 2], "alpha" if number % 4 < 2 else "")

    def to(standing: Standing) -> Breaker:
        breaker = standing.breaker
        if breaker.phase == "open":
            return begun(breaker, breaker.opened_at + breaker.open_ms, POLICY)
        return CLOSED if breaker.phase != "closed" and number % 2 else opened(breaker, at, POLICY)

    move(log, scope, to, at)


HEALTH_STEPS: dict[str, Callable[[SimulatedLog, int], None]] = {
    "observe": _observe,
    "probe": _probe,
    "move_breaker": _move,
}
