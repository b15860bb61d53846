"""The HTTP application: hot routes on Starlette, the rest on FastAPI, one OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Route

from api.errors import add_error_handlers
from api.openapi import add_hot_routes
from api.ports import ApiPorts
from api.requests import BodyLimit, RequestIds
from api.routes import admin, billing, jobs, keys, public, webhooks
from api.submission import submit_job

DESCRIPTION = (
    "Asynchronous inference jobs with signed webhooks, one bill, and a log that proves it."
)


def create_app(ports: ApiPorts) -> FastAPI:
    """The application over these ports; it owns none of them."""
    app = FastAPI(
        title="Gatewayz",
        version=ports.version,
        description=DESCRIPTION,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestIds, ids=ports.ids),
            Middleware(BodyLimit, max_bytes=ports.limits.max_body_bytes),
        ],
        # First in the table, and without FastAPI's own work: these two carry the load.
        routes=[
            Route("/v1/jobs", submit_job, methods=["POST"]),
            Route("/v1/jobs/{job_id}", jobs.get_job, methods=["GET"]),
        ],
    )
    app.state.ports = ports
    add_error_handlers(app)
    for routes in (jobs, billing, webhooks, keys, admin, public):
        app.include_router(routes.router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Joins the hot routes to the OpenAPI document."""
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = add_hot_routes(generated())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
