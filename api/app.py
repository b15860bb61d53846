"""The HTTP application: hot routes on Starlette, the rest on FastAPI, one OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from api.auth import Authenticated
from api.errors import add_error_handlers
from api.hot import HotRoutes
from api.openapi import add_hot_routes
from api.ports import ApiPorts
from api.requests import BoundedBodies, RequestIds
from api.routes import admin, billing, jobs, keys, public, webhooks
from api.submission import submit_job

DESCRIPTION = (
    "Asynchronous inference jobs with signed webhooks, one bill, and a log that proves it."
)


def create_app(ports: ApiPorts) -> ASGIApp:
    """The application over these ports; it owns none of them."""
    rest = create_api(ports)
    app = Authenticated(HotRoutes(rest, rest, submit_job, jobs.get_job), ports)
    return RequestIds(BoundedBodies(app, ports.limits), ports.ids)


def create_api(ports: ApiPorts) -> FastAPI:
    """The FastAPI application: every route but the hot ones, and the OpenAPI document of all."""
    api = FastAPI(
        title="Gatewayz", version=ports.version, description=DESCRIPTION, redirect_slashes=False
    )
    api.state.ports = ports
    add_error_handlers(api)
    for routes in (jobs, billing, webhooks, keys, admin, public):
        api.include_router(routes.router)
    _describe(api)
    return api


def _describe(api: FastAPI) -> None:
    """Joins the hot routes to the OpenAPI document."""
    generated = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = add_hot_routes(generated())
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
