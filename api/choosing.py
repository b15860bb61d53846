"""Who may serve a request: its models, and their offers in the order to be asked."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from api.inference_bodies import Wanted
from api.ports import ApiPorts
from api.preferences import Asking
from domain.access.provider_keys.directory import OwnKeys
from domain.access.provider_keys.ways import keys_at
from domain.catalog.catalogue import Model, Resolved
from domain.catalog.events import PriceBookPublished
from domain.catalog.reach import reach_of
from domain.errors import InvalidRequest
from domain.inference.admission import output_limit, output_to_hold
from domain.inference.events import Endpoint, OfferRef
from domain.rating.ceilings import Ceiling, worst_case
from domain.routing.candidates import Candidate, Preferences, ProviderFacts
from domain.routing.needs import texts
from domain.routing.routers import CallableModel, Mode, choose, router_mode

# A model chosen for the prompt may be followed by so many others.
ROUTED_MODELS = 3
# So many are looked at where the first of them may not serve what is asked.
TRIED_MODELS = 30


class Choice(msgspec.Struct, frozen=True):
    """A model that may answer, its offers in order, and the most output tokens it can bring.

    Money is set aside for `held_tokens` of output. `sold` are those of the offers that we are paid
    for; `book` has their prices, of the moment of the choice: what is on sale may change before
    the job is accepted.
    """

    model: Model
    refs: tuple[OfferRef, ...]
    sold: Sequence[Ceiling]
    output_tokens: int
    held_tokens: int
    book: PriceBookPublished

    def hold(self, input_tokens: int) -> int:
        """The most that an answer can cost, in picodollars."""
        return worst_case(input_tokens, self.held_tokens, self.sold) if self.sold else 0


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """A request as far as the choice of who serves it goes; `own_keys` are its account's."""

    endpoint: Endpoint
    wanted: Wanted
    asking: Asking
    body: Mapping[str, Any]
    request_id: str
    own_keys: OwnKeys


def choices(ports: ApiPorts, inquiry: Inquiry) -> tuple[Choice, ...]:
    """The models that may answer, the one asked for first.

    Raises `NotFound` and `InvalidRequest` when the first may not.
    """
    mode = router_mode(inquiry.wanted.model)
    if mode is not None:
        return _routed(ports, inquiry, mode)
    model = inquiry.wanted.model
    first = _resolved(ports, inquiry, model)
    others = [_resolved(ports, inquiry, name) for name in inquiry.asking.fallbacks if name != model]
    chosen = [_choice(ports, inquiry, first)]
    for resolved in others:
        with suppress(InvalidRequest):  # what it cannot take is no reason to refuse the first
            chosen.append(_choice(ports, inquiry, resolved))
    return tuple(chosen)


def _routed(ports: ApiPorts, inquiry: Inquiry, mode: Mode) -> tuple[Choice, ...]:
    """The best models that may serve what is asked. Raises `InvalidRequest` when none may."""
    chosen: list[Choice] = []
    refusal = InvalidRequest("no model may be chosen from", param="model")
    found = choose(texts(inquiry.body), mode, _callable_models(ports, inquiry))
    for name in found[:TRIED_MODELS]:
        try:
            chosen.append(_choice(ports, inquiry, _resolved(ports, inquiry, name)))
        except InvalidRequest as problem:
            refusal = problem
        if len(chosen) == ROUTED_MODELS:
            break
    if not chosen:
        raise refusal
    return tuple(chosen)


def _resolved(ports: ApiPorts, inquiry: Inquiry, name: str) -> Resolved:
    return ports.catalogue.resolve(name, inquiry.endpoint, frozenset(inquiry.own_keys))


def _callable_models(ports: ApiPorts, inquiry: Inquiry) -> list[CallableModel]:
    """The models to choose from, those under own keys among them, at who may serve them."""
    wanted = inquiry.asking.wanted
    needed = wanted.capabilities
    found = [
        (resolved.model.id, _prices(resolved, wanted))
        for resolved in reach_of(ports.catalogue, inquiry.own_keys).listed
        if resolved.model.kind == "chat" and _can(resolved.model, needed)
    ]
    return [
        CallableModel(id=name, price_picodollars=min(prices)) for name, prices in found if prices
    ]


def _can(model: Model, needed: frozenset[str]) -> bool:
    """Where nothing is told anything may be asked."""
    return not model.capabilities or needed.issubset(model.capabilities)


def _prices(resolved: Resolved, wanted: Preferences) -> list[int]:
    """What an input and an output token together cost at each provider that may be asked."""
    return [
        offer.input_picodollars + offer.output_picodollars
        for offer in resolved.offers
        if offer.provider not in wanted.ignore
        and (not wanted.only or offer.provider in wanted.only)
    ]


def _choice(ports: ApiPorts, inquiry: Inquiry, resolved: Resolved) -> Choice:
    model, wanted = resolved.model, inquiry.wanted
    asked = (resolved, wanted.max_output_tokens, wanted.choices)
    output_tokens, held_tokens = output_limit(*asked), output_to_hold(*asked)
    asking = inquiry.asking
    ordered = ports.routes.order(
        model.id,
        _candidates(ports, resolved, inquiry),
        inquiry.request_id,
        ports.clock.now(),
        wanted=asking.wanted,
        strategy=asking.strategy,
    )
    if not ordered.candidates:
        raise _nobody(model, {left.reason for left in ordered.left_out})
    all_sold = resolved.ceilings
    sold = [all_sold[one.provider, one.native_id] for one in ordered.candidates if not one.own_key]
    book = ports.catalogue.price_book(model)
    return Choice(model, ordered.offers, sold, output_tokens, held_tokens, book)


def _candidates(ports: ApiPorts, resolved: Resolved, inquiry: Inquiry) -> Sequence[Candidate]:
    wanted: Preferences = inquiry.asking.wanted
    candidates: Sequence[Candidate] = resolved.candidates
    if inquiry.own_keys:
        candidates = list(_under_own_keys(ports, candidates, inquiry.own_keys))
    if wanted.regions or wanted.data_policy != "any":
        candidates = [_with_facts(ports, one) for one in candidates]
    return candidates


def _under_own_keys(
    ports: ApiPorts, candidates: Sequence[Candidate], own_keys: OwnKeys
) -> Iterator[Candidate]:
    """The candidates under the account's own keys where it has them."""
    for candidate in candidates:
        provider = candidate.provider
        for key in keys_at(own_keys.get(provider), is_sold=ports.catalogue.enables(provider)):
            yield candidate if key is None else replace(candidate, own_key=key)


def _with_facts(ports: ApiPorts, candidate: Candidate) -> Candidate:
    """The candidate with where its provider handles requests, and how."""
    facts = ports.provider_facts.get(candidate.provider, ProviderFacts())
    # What the operator vouches for is said in their contract, not in the customer's.
    handling = "unknown" if candidate.own_key else facts.data_handling
    return replace(candidate, regions=facts.regions, data_handling=handling)


_WHY: Mapping[str, tuple[str, str]] = {
    "capability": ("unsupported_parameter", "cannot do what the request asks for"),
    "context": ("context_length_exceeded", "takes less than the prompt and the output asked for"),
    "region": ("no_permitted_provider", "has no provider in the regions allowed"),
    "data_policy": ("no_permitted_provider", "has no provider with the data policy asked for"),
    "price": ("no_permitted_provider", "has no provider at the price asked for"),
}


def _nobody(model: Model, reasons: set[Any]) -> InvalidRequest:
    told = next((_WHY[reason] for reason in _WHY if reason in reasons), None)
    code, why = told or ("no_permitted_provider", "has none of the providers asked for")
    return InvalidRequest(f"{model.id} {why}", code=code, param="model")
