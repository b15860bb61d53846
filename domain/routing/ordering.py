"""In which order the offers of a model are asked: the strategies, as pure functions.

- `price`: the cheapest first, an input and an output token taken together.
- `order`: as the offers are listed.
- `latency`: the lowest median first, of the time to the first token where all were streamed often
  enough, else of the whole answer.
- `throughput`: the most output tokens a second first.
- `balanced`: the lowest score first, where score = 0.5 · price / the lowest price
  + 0.3 · median latency / the lowest + 0.2 / share of attempts answered; what is not measured of an
  offer counts as if it were the best.
- `weights`: drawn by share, the same for the same request; what has no weight comes last.

A measured strategy goes by offers with enough answers in the last minutes. Whoever leads keeps the
lead until another is better by a margin. One request in five goes first to an offer that
is not measured, or nothing would ever be. Equal offers stand by price, then by
`domain.routing.chains`, then as listed. Health filters and never overrides the price: offers whose
breakers are open come after all others, the one that failed least lately first.

What is called with the account's own keys comes before what the house sells, in the same order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from hashlib import blake2b
from math import inf, log
from typing import Literal

from domain.inference.events import OfferRef
from domain.providers.health import UNMEASURED, OfferHealth
from domain.routing.candidates import Candidate, LeftOut, Preferences, sift
from domain.routing.chains import LAST, chain_of
from domain.value import value

Strategy = Literal["price", "order", "latency", "throughput", "balanced", "weights"]
PRICE_SHARE, LATENCY_SHARE, ANSWERED_SHARE = 0.5, 0.3, 0.2
# Lower is better; None when the offer is not measured.
_Measure = Callable[[Candidate], float | None]


@value(kw_only=True)
class Tuning:
    """How sure a measured strategy must be; shares are of one.

    A challenger takes the lead when its figure is less than `1 - margin` of the leader's.
    """

    minimum_samples: int = 10
    margin: float = 0.2
    explored_share: float = 0.2


DEFAULT_TUNING = Tuning()


@value(kw_only=True)
class Situation:
    """What is known when a request comes.

    `open` names offers whose breakers are open, with when each last failed. `leader` is who led
    the last time for this model. `weights` are by provider, or by `provider/native_id`, which goes
    first.
    """

    strategy: Strategy
    request_id: str
    health: Mapping[OfferRef, OfferHealth] = field(default_factory=dict)
    open: Mapping[OfferRef, int] = field(default_factory=dict)
    leader: OfferRef | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    tuning: Tuning = DEFAULT_TUNING


@value()
class Ordered:
    """The offers in the order to be asked, and why each other was left out.

    `leader` is who leads by measure, to be given back in the next `Situation` for this model.
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    leader: OfferRef | None = None

    @property
    def offers(self) -> tuple[OfferRef, ...]:
        return tuple([candidate.offer for candidate in self.candidates])


def order(
    model: str, candidates: Sequence[Candidate], wanted: Preferences, situation: Situation
) -> Ordered:
    """The offers that may serve, in the order to be asked."""
    kept, left_out = sift(model, candidates, wanted)
    closed = [one for one in kept if one.offer not in situation.open] if situation.open else kept
    own = [one for one in closed if one.own_key is not None]
    if own:
        closed = [one for one in closed if one.own_key is None]
    ranked, leader = _ranked(model, closed, situation)
    if own:
        ranked = [*_ranked(model, own, replace(situation, leader=None))[0], *ranked]
    if wanted.order:
        places = {provider: place for place, provider in enumerate(wanted.order)}
        ranked.sort(key=lambda one: places.get(one.provider, len(places)))
    if situation.open:
        opened = [one for one in kept if one.offer in situation.open]
        ranked += sorted(opened, key=lambda one: situation.open[one.offer])
    return Ordered(tuple(ranked), left_out, leader)


def _ranked(
    model: str, candidates: list[Candidate], situation: Situation
) -> tuple[list[Candidate], OfferRef | None]:
    if situation.strategy == "order" or len(candidates) < 2:
        return list(candidates), situation.leader
    places, last = chain_of(model), LAST
    by_price = sorted(candidates, key=lambda one: (one.price, places.get(one.provider, last)))
    match situation.strategy:
        case "price":
            return by_price, None
        case "weights":
            return _drawn(by_price, situation), None
        case "balanced":
            return _measured(by_price, situation, _balance(by_price, situation), explores=False)
        case "latency":
            return _measured(by_price, situation, _latency(by_price, situation))
        case "throughput":
            return _measured(by_price, situation, _slowness(situation))


def _measured(
    by_price: list[Candidate], situation: Situation, measure: _Measure, *, explores: bool = True
) -> tuple[list[Candidate], OfferRef | None]:
    figures = [(measure(one), one) for one in by_price]
    known = [(figure, one) for figure, one in figures if figure is not None]
    unknown = [one for figure, one in figures if figure is None]
    known.sort(key=lambda pair: pair[0])
    ranked = [one for _, one in known]
    if known:
        _keep_leader(ranked, known, situation)
    leader = ranked[0].offer if ranked else None
    explored = _explored(unknown, situation) if explores else None
    if explored is not None:
        return [explored, *ranked, *(one for one in unknown if one is not explored)], leader
    return [*ranked, *unknown], leader


def _keep_leader(
    ranked: list[Candidate], known: list[tuple[float, Candidate]], situation: Situation
) -> None:
    """Puts who led before first, unless the best is better by the margin."""
    best = known[0][0]
    for figure, one in known:
        if one.offer == situation.leader and best >= figure * (1 - situation.tuning.margin):
            ranked.remove(one)
            ranked.insert(0, one)
            return


def _explored(unknown: list[Candidate], situation: Situation) -> Candidate | None:
    """The offer to be measured by this request, if it is one of the few that do so."""
    tuning = situation.tuning
    wanting = [one for one in unknown if _attempts(one, situation) < tuning.minimum_samples]
    if not wanting or _drawn_number(situation.request_id, "explore") >= tuning.explored_share:
        return None
    return min(wanting, key=lambda one: (_attempts(one, situation), _number_of(one, situation)))


def _health(candidate: Candidate, situation: Situation) -> OfferHealth:
    return situation.health.get(candidate.offer, UNMEASURED)


def _attempts(candidate: Candidate, situation: Situation) -> int:
    health = _health(candidate, situation)
    return health.samples + health.failed


def _latency(candidates: list[Candidate], situation: Situation) -> _Measure:
    enough = situation.tuning.minimum_samples
    measured = [
        health for one in candidates if (health := _health(one, situation)).samples >= enough
    ]
    by_first_token = all(health.first_token_samples >= enough for health in measured)

    def measure(candidate: Candidate) -> float | None:
        health = _health(candidate, situation)
        if health.samples < enough:
            return None
        return health.first_token_ms if by_first_token else health.duration_ms

    return measure


def _slowness(situation: Situation) -> _Measure:
    def measure(candidate: Candidate) -> float | None:
        health = _health(candidate, situation)
        speed = health.tokens_per_second
        if speed is None or health.samples < situation.tuning.minimum_samples:
            return None
        return 1 / speed

    return measure


def _balance(candidates: list[Candidate], situation: Situation) -> _Measure:
    latency = _latency(candidates, situation)
    latencies = {one.offer: latency(one) for one in candidates}
    fastest = min((value for value in latencies.values() if value is not None), default=1.0)
    cheapest = min(one.price for one in candidates)

    def measure(candidate: Candidate) -> float:
        taken = latencies[candidate.offer]
        answered = _health(candidate, situation).success_ratio
        is_sure = _attempts(candidate, situation) >= situation.tuning.minimum_samples
        return (
            PRICE_SHARE * (candidate.price + 1) / (cheapest + 1)
            + LATENCY_SHARE * (1.0 if taken is None else max(taken, 1) / max(fastest, 1))
            + ANSWERED_SHARE / (max(answered, 0.01) if is_sure and answered is not None else 1.0)
        )

    return measure


def _drawn(candidates: list[Candidate], situation: Situation) -> list[Candidate]:
    """Drawn without putting back: each next one by its weight among those that are left."""
    weights = situation.weights

    def key(candidate: Candidate) -> float:
        own = weights.get(f"{candidate.provider}/{candidate.native_id}")
        weight = weights.get(candidate.provider, 0.0) if own is None else own
        return -log(_number_of(candidate, situation)) / weight if weight > 0 else inf

    return sorted(candidates, key=key)


def _number_of(candidate: Candidate, situation: Situation) -> float:
    return _drawn_number(situation.request_id, candidate.provider, candidate.native_id)


def _drawn_number(*parts: str) -> float:
    """A number in (0, 1) that is the same for the same parts."""
    digest = blake2b("\x1f".join(parts).encode(), digest_size=7).digest()
    return (int.from_bytes(digest, "big") + 0.5) / (1 << 56)
