"""What anybody may read: liveness, readiness, metrics and the models on sale."""

from typing import Any

from fastapi import APIRouter, Response

from api.auth import Ports, require
from api.probes import health_object, metrics_response, ready_response
from domain.access.scopes import ALL_SCOPES
from domain.catalog.catalogue import Resolved
from domain.errors import NotFound
from domain.money import TokenPrice

router = APIRouter(tags=["Public"])
any_key = require(*ALL_SCOPES)


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


@router.get("/v1/models", dependencies=[any_key])
async def list_models(ports: Ports) -> dict[str, Any]:
    """The models on sale, in OpenAI's shape with prices."""
    models = [model_object(resolved) for resolved in ports.catalogue.listed()]
    return {"object": "list", "data": models}


@router.get("/v1/models/{model_id:path}", dependencies=[any_key])
async def get_model(model_id: str, ports: Ports) -> dict[str, Any]:
    """One model on sale."""
    for resolved in ports.catalogue.listed():
        if resolved.model.id == model_id:
            return model_object(resolved)
    raise NotFound(f"no such model: {model_id[:120]}", code="model_not_found", param="model")


def model_object(resolved: Resolved) -> dict[str, Any]:
    """A model in OpenAI's shape, with what it costs where."""
    model = resolved.model
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.id.partition("/")[0],
        "kind": model.kind,
        "context_length": model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
        "offers": [
            {
                "provider": offer.provider,
                "input_usd_per_million": TokenPrice(offer.input_picodollars).usd_per_million(),
                "output_usd_per_million": TokenPrice(offer.output_picodollars).usd_per_million(),
            }
            for offer in resolved.offers
        ],
    }
