"""What anybody may read: liveness, readiness, metrics and the models on sale."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from api.anthropic_models import anthropic_list, anthropic_model
from api.auth import Caller, Ports, require
from api.model_list import Available, ModelFilter, Selection, Sort, View, list_object, view_of
from api.model_objects import marks_of, model_object, offer_objects
from api.probes import health_object, metrics_response, ready_response
from api.wire_errors import ANTHROPIC_VERSION
from domain.access.scopes import ALL_SCOPES
from domain.money import TokenPrice

router = APIRouter(tags=["Public"])
any_key = require(*ALL_SCOPES)
Name = Annotated[str | None, Query(max_length=100)]
Count = Annotated[int, Query(ge=0)]


@router.get("/health")
async def get_health(ports: Ports) -> dict[str, Any]:
    """Liveness: always 200; the truth is in the body."""
    return health_object(ports.probes)


@router.get("/ready")
async def get_ready(ports: Ports) -> Response:
    """Readiness: 503 while the event store or a lag says so."""
    return ready_response(ports.probes)


@router.get("/metrics")
async def get_metrics(ports: Ports) -> Response:
    """Prometheus metrics of this node."""
    return metrics_response(ports.probes)


@router.get("/asyncapi.json")
async def get_asyncapi(ports: Ports) -> Response:
    """The log as an AsyncAPI document: topics, consumers and events."""
    return Response(ports.asyncapi(), media_type="application/json")


def model_filter(
    search: Annotated[str, Query(max_length=200)] = "",
    provider: Name = None,
    kind: Name = None,
    capability: Annotated[list[str] | None, Query(max_length=20)] = None,
    *,
    min_context: Count = 0,
    min_providers: Count = 0,
    max_price: Annotated[
        str | None, Query(max_length=30, description="USD per million tokens, of both ways.")
    ] = None,
    sort: Sort = "name",
) -> ModelFilter:
    """Which models a request asks for. Raises `InvalidRequest` for a price that is none."""
    most = None if max_price is None else TokenPrice.from_usd_per_million(max_price)
    return ModelFilter(
        search=search,
        provider=provider,
        kind=kind,
        capabilities=tuple(capability or ()),
        min_context=min_context,
        min_providers=min_providers,
        max_picodollars=None if most is None else most.picodollars_per_token,
        sort=sort,
    )


@router.get("/v1/models")
async def list_models(
    request: Request,
    ports: Ports,
    caller: Annotated[Caller, any_key],
    wanted: Annotated[ModelFilter, Depends(model_filter)],
    view: View = "unique",
    available: Available = "true",
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    after: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """The models on sale, in OpenAI's shape with prices: all of them, unless `limit` is given.

    The view `unique` has a row for each model, `full` one for each provider that serves it. What
    providers offer that the account has own keys at is among them, with the key's id in `own_key`.
    Anthropic's clients, known by the header `anthropic-version`, get Anthropic's list, in pages.
    """
    catalogue, own_keys = ports.catalogue, ports.provider_keys.of_account(caller.account_id)
    if ANTHROPIC_VERSION in request.headers:
        return JSONResponse(anthropic_list(catalogue, request.query_params, own_keys))
    models = await view_of(catalogue, Selection(view, available), marks_of(catalogue, own_keys))
    return Response(list_object(models, wanted, limit, after), media_type="application/json")


@router.get("/v1/models/{model_id:path}")
async def get_model(
    model_id: str, request: Request, ports: Ports, caller: Annotated[Caller, any_key]
) -> dict[str, Any]:
    """One model on sale, or under the account's own keys, by any of its names."""
    catalogue, own_keys = ports.catalogue, ports.provider_keys.of_account(caller.account_id)
    resolved = catalogue.on_sale(model_id, frozenset(own_keys))
    if ANTHROPIC_VERSION in request.headers:
        return anthropic_model(resolved, own_keys)
    marks = marks_of(catalogue, own_keys)
    return model_object(resolved.model, offer_objects(resolved, every=False, marks=marks))
