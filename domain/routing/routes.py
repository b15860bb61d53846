"""The order of offers as a node knows it: strategies over the health that it sees."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.inference.events import OfferRef
from domain.providers.health import HealthBoard
from domain.routing.candidates import FREE, NO_PREFERENCES, Candidate, Preferences
from domain.routing.ordering import DEFAULT_TUNING, Ordered, Situation, Strategy, Tuning, order

# Who leads is kept for so many models; what is forgotten is chosen anew.
KEPT_LEADERS = 10_000
_MEASURED: frozenset[Strategy] = frozenset({"latency", "throughput", "balanced"})
# The places of offers whose breakers are open, with when each last failed.
AvoidedOffers = Callable[[Sequence[OfferRef]], Mapping[int, int]]


def nothing_avoided(_offers: Sequence[OfferRef]) -> Mapping[int, int]:
    """No breaker is open."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """The operator's choice; `weights` are by provider or `provider/native_id`."""

    strategy: Strategy = "price"
    weights: Mapping[str, float] = field(default_factory=dict)
    tuning: Tuning = DEFAULT_TUNING


class Routes:
    """Orders offers for requests; remembers who leads, so that the lead does not flip."""

    def __init__(
        self,
        policy: RoutingPolicy,
        health: HealthBoard | None = None,
        avoided: AvoidedOffers = nothing_avoided,
    ) -> None:
        self._policy = policy
        self._health = health or HealthBoard()
        self._avoided = avoided
        self._leaders: OrderedDict[tuple[str, Strategy], OfferRef] = OrderedDict()

    def order(
        self,
        model: str,
        candidates: Sequence[Candidate],
        request_id: str,
        now: int,
        *,
        wanted: Preferences = NO_PREFERENCES,
        strategy: Strategy | None = None,
    ) -> Ordered:
        """The offers of a model in the order to be asked; `now` is Unix milliseconds.

        `strategy` is the caller's own choice, in place of the operator's.
        """
        if len(candidates) == 1 and wanted is NO_PREFERENCES and not model.endswith(FREE):
            return Ordered(tuple(candidates), ())  # there is nothing to choose
        chosen = strategy or self._policy.strategy
        offers = [candidate.offer for candidate in candidates]
        avoided = self._avoided(offers)
        situation = Situation(
            strategy=chosen,
            request_id=request_id,
            open={offers[place]: failed_at for place, failed_at in avoided.items()},
            weights=self._policy.weights,
            tuning=self._policy.tuning,
        )
        if chosen not in _MEASURED:
            return order(model, candidates, wanted, situation)
        health = {o: self._health.of(o.provider, o.native_id, now) for o in offers}
        leader = self._leaders.get((model, chosen))
        ordered = order(model, candidates, wanted, replace(situation, health=health, leader=leader))
        self._remember((model, chosen), ordered.leader)
        return ordered

    def _remember(self, key: tuple[str, Strategy], leader: OfferRef | None) -> None:
        if leader is None:
            return
        self._leaders[key] = leader
        self._leaders.move_to_end(key)
        if len(self._leaders) > KEPT_LEADERS:
            self._leaders.popitem(last=False)
