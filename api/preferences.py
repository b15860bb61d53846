"""What a request says about who is to serve it; none of it goes on to a provider.

The fields are those that OpenRouter's clients know: `models` (others that may answer), and
`provider` with `order`, `only`, `ignore`, `allow_fallbacks`, `sort`, `data_collection`, `zdr` and
`max_price`; `regions` and `strategy` in it are ours.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from api.job_requests import converted
from domain.money import TokenPrice
from domain.routing.candidates import NO_PREFERENCES, DataPolicy, Preferences
from domain.routing.ordering import Strategy
from domain.routing.routers import fallback_models

ROUTING_FIELDS = frozenset({"models", "provider", "route"})
Names = Annotated[list[str], msgspec.Meta(max_length=50)]
_SORTS: Mapping[str, Strategy] = {
    "price": "price",
    "latency": "latency",
    "throughput": "throughput",
}


class PriceCap(msgspec.Struct, forbid_unknown_fields=True):
    """USD per million tokens."""

    prompt: str | float | None = None
    completion: str | float | None = None


class ProviderChoice(msgspec.Struct, forbid_unknown_fields=True):
    """The `provider` of a request."""

    order: Names = []
    only: Names = []
    ignore: Names = []
    allow_fallbacks: bool = True
    sort: Literal["price", "latency", "throughput"] | None = None
    strategy: Literal["price", "order", "latency", "throughput", "balanced", "weights"] | None = (
        None
    )
    data_collection: Literal["allow", "deny"] = "allow"
    zdr: bool = False
    require_parameters: bool = False
    max_price: PriceCap | None = None
    regions: Names = []


class _Routing(msgspec.Struct):
    provider: ProviderChoice | None = None
    route: Literal["fallback"] | None = None


class Asking(msgspec.Struct, frozen=True):
    """What is asked of who serves."""

    wanted: Preferences = NO_PREFERENCES
    strategy: Strategy | None = None
    fallbacks: tuple[str, ...] = ()


_NOTHING = Asking()


@cache
def _needing(needed: frozenset[str]) -> Asking:
    """Nothing is asked but what can be done; there are few things of which to ask that."""
    return Asking(Preferences(capabilities=needed)) if needed else _NOTHING


def read_asking(
    body: Mapping[str, Any], place: str, needed: frozenset[str], tokens: int | None
) -> Asking:
    """What `body` asks of who serves; `needed` are the capabilities that it takes, `tokens` what
    it needs of a context. Raises `InvalidRequest`.
    """
    if ROUTING_FIELDS.isdisjoint(body):
        return _needing(needed)
    routing = converted(body, _Routing, place)
    choice = routing.provider or ProviderChoice()
    cap = choice.max_price or PriceCap()
    wanted = Preferences(
        order=tuple(choice.order),
        only=frozenset(choice.only),
        ignore=frozenset(choice.ignore),
        allow_fallbacks=choice.allow_fallbacks,
        regions=frozenset(choice.regions),
        data_policy=_data_policy(choice),
        max_input_picodollars=_cap(cap.prompt),
        max_output_picodollars=_cap(cap.completion),
        capabilities=needed,
        context_tokens=tokens,
    )
    strategy = choice.strategy or (_SORTS[choice.sort] if choice.sort else None)
    return Asking(wanted, strategy, fallback_models(body.get("models")))


def without_routing(body: dict[str, Any]) -> dict[str, Any]:
    """The body as it goes to a provider."""
    if ROUTING_FIELDS.isdisjoint(body):
        return body
    return {name: value for name, value in body.items() if name not in ROUTING_FIELDS}


def _data_policy(choice: ProviderChoice) -> DataPolicy:
    if choice.zdr:
        return "no_retention"
    return "no_training" if choice.data_collection == "deny" else "any"


def _cap(price: str | float | None) -> int | None:
    if price is None:
        return None
    return TokenPrice.from_usd_per_million(str(price)).picodollars_per_token
