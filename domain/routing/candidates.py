"""Which offers may serve a request: the hard filters, and why each of the others may not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from domain.inference.events import OfferRef
from domain.value import value

# What a host does with prompts and answers, the worst first; what is not known is no promise.
DataHandling = Literal["unknown", "trains", "retains", "forgets"]
# What the caller demands: no training on it, or that nothing of it is kept.
DataPolicy = Literal["any", "no_training", "no_retention"]
Reason = Literal[
    "not_chosen",  # the caller named others
    "ignored",  # the caller named it
    "region",
    "data_policy",
    "price",
    "not_free",  # a request for a free model never becomes a paid one
    "capability",
    "context",
]
_KEPT: dict[DataPolicy, frozenset[DataHandling]] = {
    "any": frozenset({"unknown", "trains", "retains", "forgets"}),
    "no_training": frozenset({"retains", "forgets"}),
    "no_retention": frozenset({"forgets"}),
}
FREE = ":free"


@value()
class ProviderFacts:
    """Where a provider handles requests (nowhere known of: empty), and what it does with them."""

    regions: frozenset[str] = frozenset()
    data_handling: DataHandling = "unknown"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An offer that might serve; prices are in picodollars per token, the context in tokens.

    `regions` are those in which the host may handle the request, none when that is not known. With
    no `capabilities` told anything may be asked for. With `own_key` it is called with the account's
    own key, and the prices are paid to the provider.
    """

    provider: str
    native_id: str
    input_picodollars: int
    output_picodollars: int
    regions: frozenset[str] = frozenset()
    data_handling: DataHandling = "unknown"
    capabilities: frozenset[str] = frozenset()
    context_length: int | None = None
    own_key: str | None = None

    @property
    def price(self) -> int:
        """An input and an output token together."""
        return self.input_picodollars + self.output_picodollars

    @cached_property
    def offer(self) -> OfferRef:
        return OfferRef(provider=self.provider, native_id=self.native_id, own_key=self.own_key)


@value(kw_only=True)
class Preferences:
    """What the caller, or the policy of their key, demands of who serves; empty means anything.

    The providers of `order` come first, in that order; without `allow_fallbacks` no other may
    serve. `regions` are those that the request may be handled in. `context_tokens` is what it may
    need in all.
    """

    order: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    allow_fallbacks: bool = True
    regions: frozenset[str] = frozenset()
    data_policy: DataPolicy = "any"
    max_input_picodollars: int | None = None
    max_output_picodollars: int | None = None
    capabilities: frozenset[str] = frozenset()
    context_tokens: int | None = None


NO_PREFERENCES = Preferences()


@value()
class LeftOut:
    """An offer that may not serve the request, and why."""

    offer: OfferRef
    reason: Reason


def sift(
    model: str, candidates: Sequence[Candidate], wanted: Preferences
) -> tuple[list[Candidate], tuple[LeftOut, ...]]:
    """The candidates that may serve, in the order given, and the others."""
    if wanted is NO_PREFERENCES and not model.endswith(FREE):
        return list(candidates), ()
    kept: list[Candidate] = []
    left_out: list[LeftOut] = []
    for candidate in candidates:
        reason = _reason(model, candidate, wanted)
        if reason is None:
            kept.append(candidate)
        else:
            left_out.append(LeftOut(candidate.offer, reason))
    return kept, tuple(left_out)


def _reason(model: str, candidate: Candidate, wanted: Preferences) -> Reason | None:
    provider = candidate.provider
    if provider in wanted.ignore:
        return "ignored"
    is_named = not wanted.order or wanted.allow_fallbacks or provider in wanted.order
    if not is_named or (wanted.only and provider not in wanted.only):
        return "not_chosen"
    # Every region that it might be handled in must be allowed.
    if wanted.regions and not (candidate.regions and candidate.regions <= wanted.regions):
        return "region"
    if candidate.data_handling not in _KEPT[wanted.data_policy]:
        return "data_policy"
    if model.endswith(FREE) and candidate.price:
        return "not_free"
    return _unfit(candidate, wanted)


def _unfit(candidate: Candidate, wanted: Preferences) -> Reason | None:
    caps = (
        (candidate.input_picodollars, wanted.max_input_picodollars),
        (candidate.output_picodollars, wanted.max_output_picodollars),
    )
    if any(cap is not None and price > cap for price, cap in caps):
        return "price"
    if candidate.capabilities and not wanted.capabilities <= candidate.capabilities:
        return "capability"
    needed, length = wanted.context_tokens, candidate.context_length
    return "context" if needed is not None and length is not None and needed > length else None
