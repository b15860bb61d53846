"""The HTTP surface of a process that serves no customers: is it alive, ready, and how is it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Probes:
    """What the three routes tell, as `api.ports.ApiPorts` has it."""

    version: str
    health: Callable[[], Mapping[str, Any]]
    readiness: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes]


def health_object(probes: Probes) -> dict[str, Any]:
    """The body of `/health`."""
    components = probes.health()
    degraded = any(state != "ok" for state in components.values())
    return {
        "status": "degraded" if degraded else "ok",
        "version": probes.version,
        "time": time.time(),
        "components": dict(components),
    }


def ready_response(probes: Probes) -> Response:
    """200 when ready, else 503; the body says why."""
    state = probes.readiness()
    return _json(state, 200 if state["ready"] else 503)


def metrics_response(probes: Probes) -> Response:
    """The metrics of this process."""
    return Response(probes.metrics(), media_type=CONTENT_TYPE_LATEST)


def create_probes(probes: Probes) -> Starlette:
    """The application with these routes alone."""

    async def health(_: Request) -> Response:
        return _json(health_object(probes), 200)

    async def ready(_: Request) -> Response:
        return ready_response(probes)

    async def metrics(_: Request) -> Response:
        return metrics_response(probes)

    return Starlette(
        routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]
    )


def _json(body: Mapping[str, Any], status: int) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
