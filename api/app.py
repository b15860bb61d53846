"""The HTTP application: hot routes on Starlette, the rest on FastAPI, one OpenAPI document."""

from typing import Any

from fastapi import FastAPI

from api import interactive
from api.auth import Authenticated
from api.ending import Application
from api.errors import add_error_handlers
from api.hot import COLLECTION, MEMBER, Endpoint, HotRoutes
from api.openapi import add_hot_routes, operation_id
from api.ports import ApiPorts
from api.requests import Normalized
from api.routes import (
    admin,
    billing,
    catalogue,
    jobs,
    keys,
    messages,
    public,
    responses,
    status,
    tokens,
    webhooks,
)
from api.submission import submit_job

DESCRIPTION = (
    "Every model through one key, at once or as a job, one bill, and a log that proves it."
)


def create_app(ports: ApiPorts) -> Application:
    """The application over these ports; it owns none of them."""
    rest = create_api(ports)
    app = Authenticated(HotRoutes(rest, rest, _posts(), jobs.get_job), ports)
    return Application(app, ports.ids, ports.limits)


def create_api(ports: ApiPorts) -> FastAPI:
    """The FastAPI application: every route, and the OpenAPI document of all.

    It knows the hot routes too, for what does not take the short way: other methods, HEAD.
    """
    api = FastAPI(
        title="Gatewayz",
        version=ports.version,
        description=DESCRIPTION,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    api.add_middleware(Normalized)
    add_error_handlers(api)
    api.router.add_route(MEMBER + "{job_id}", jobs.get_job, ["GET"], include_in_schema=False)
    for path, endpoint in _posts().items():
        api.router.add_route(path, endpoint, ["POST"], include_in_schema=False)
    for routes in (
        jobs,
        responses,
        billing,
        webhooks,
        keys,
        admin,
        catalogue,
        public,
        status,
        tokens,
    ):
        api.include_router(routes.router)
    _describe(api)
    return api


def _posts() -> dict[str, Endpoint]:
    """What is posted to the hot routes."""
    posts: dict[str, Endpoint] = dict.fromkeys(interactive.PATHS, interactive.serve)
    return {
        **posts,
        COLLECTION: submit_job,
        responses.PATH: responses.create_response,
        messages.PATH: messages.create_message,
    }


def _describe(api: FastAPI) -> None:
    """Joins the hot routes to the OpenAPI document."""
    generated = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = add_hot_routes(generated())
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
