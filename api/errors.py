"""Refusals and failures as HTTP replies: the one map from error to status."""

from collections.abc import Iterator, Mapping

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from api.requests import request_id_of
from api.wire_errors import ANTHROPIC_VERSION, error_body
from domain.billing.wallet import InsufficientCredits
from domain.errors import DomainError, Kind, StoreUnavailable, Unavailable
from domain.money import picodollars_to_usd
from domain.ports.payloads import PayloadErased
from domain.ports.read_models import ReadModelUnavailable

STATUS: Mapping[Kind, int] = {
    "invalid_request": 400,
    "unauthenticated": 401,
    "payment_required": 402,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "unprocessable": 422,
    "rate_limited": 429,
    "unavailable": 503,
}
# What Starlette and the request's bounds refuse: code and message.
HTTP_ERRORS: Mapping[int, tuple[str, str]] = {
    404: ("route_not_found", "there is no such route"),
    405: ("method_not_allowed", "this route does not take that method"),
    408: ("request_timeout", "the body did not arrive in time"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RETRY_AFTER_SECONDS = "1"

log = structlog.get_logger(__name__)


def error_response(
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> Response:
    """An error reply in the documented shape."""
    error = {
        "code": code,
        "message": message,
        "param": param,
        "request_id": request_id_of(request),
        **(extra or {}),
    }
    is_anthropic = ANTHROPIC_VERSION in request.headers
    body = error_body(request.scope["path"], status, error, anthropic=is_anthropic)
    headers = {"retry-after": RETRY_AFTER_SECONDS} if status == 503 else {}
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def domain_error_response(request: Request, error: DomainError) -> Response:
    """A refusal as a reply."""
    return error_response(
        request,
        STATUS[error.kind],
        error.code,
        error.message,
        param=error.param,
        extra=_amounts(error),
    )


def _amounts(error: DomainError) -> Mapping[str, object]:
    if not isinstance(error, InsufficientCredits):
        return {}
    return {
        "required_usd": picodollars_to_usd(error.required),
        "available_usd": picodollars_to_usd(error.available),
        "shortfall_usd": picodollars_to_usd(error.required - error.available),
    }


def failure_response(request: Request, error: Exception) -> Response:
    """Any failure of a route as a reply; what nobody foresaw is a 500 that says nothing."""
    match error:
        case DomainError():
            return domain_error_response(request, error)
        case StoreUnavailable():
            log.error("store.unavailable", error=str(error))
            unavailable = Unavailable("the engine cannot record new work now; please try again")
            return domain_error_response(request, unavailable)
        case ReadModelUnavailable():
            log.error("read_models.unavailable", error=str(error))
            unavailable = Unavailable(
                "this answer cannot be computed just now; please try again",
                code="read_models_unavailable",
            )
            return domain_error_response(request, unavailable)
        case ClientDisconnect():
            return Response(status_code=499)  # nobody reads it
        case PayloadErased():
            return error_response(
                request, 410, "payload_erased", "this account's payloads were erased"
            )
        case RequestValidationError():
            return _validation_error(request, error)
        # FastAPI wraps whatever is raised while it reads a body.
        case HTTPException(__cause__=DomainError() as refusal):
            return domain_error_response(request, refusal)
        case HTTPException(__cause__=RecursionError()):
            return _invalid_json(request, "the body is nested too deeply")
        case HTTPException(__cause__=ValueError()):  # no UTF-8, or a number of endless digits
            return _invalid_json(request)
        case HTTPException():
            return _http_exception(request, error)
        case _:
            log.error("request.failed", request_id=request_id_of(request), exc_info=error)
            return error_response(
                request, 500, "internal_error", "something went wrong here; it was recorded"
            )


def ending_response(request: Request) -> Response:
    """What a request is told that the end of this node cuts off."""
    return failure_response(request, Unavailable("this node is ending; please try again"))


def _http_exception(request: Request, error: HTTPException) -> Response:
    code, message = HTTP_ERRORS.get(error.status_code, ("http_error", "refused"))
    response = error_response(request, error.status_code, code, message)
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(_methods_at(request))
    return response


def _methods_at(request: Request) -> Iterator[str]:
    """The methods that this path takes, over all routes: Starlette names those of the first."""
    for method in METHODS:
        # A HEAD is asked for as the GET that it becomes.
        asked = {**request.scope, "method": "GET" if method == "HEAD" else method}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            yield method


def _invalid_json(request: Request, message: str = "the body is not valid JSON") -> Response:
    return error_response(request, 400, "invalid_json", message)


def _validation_error(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _invalid_json(request)
    place = ".".join(str(part) for part in first["loc"][1:])
    message = f"{place or 'body'}: {first['msg']}"
    return error_response(request, 400, "invalid_request", message, param=place or None)


FAILURES: tuple[type[Exception], ...] = (
    DomainError,
    StoreUnavailable,
    ReadModelUnavailable,
    ClientDisconnect,
    PayloadErased,
    RequestValidationError,
    HTTPException,
    Exception,
)


def add_error_handlers(app: FastAPI) -> None:
    """Gives every failure of a route its reply."""
    for failure in FAILURES:
        app.add_exception_handler(failure, failure_response)
