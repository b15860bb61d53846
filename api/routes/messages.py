"""`POST /v1/messages`: the betas that Anthropic's clients name in a header join the body."""

from starlette.requests import Request
from starlette.responses import Response

from api.auth import authenticate
from api.interactive import object_of, serve_body
from domain.dialects.messages.betas import HEADER, with_betas
from domain.inference.events import Endpoint

PATH: Endpoint = "/v1/messages"


async def create_message(request: Request) -> Response:
    """Answered at once, whole or as a stream; see `api.interactive.serve`."""
    caller = authenticate(request, "inference")
    body = with_betas(request.headers.getlist(HEADER), await object_of(request))
    return await serve_body(request, caller, PATH, body)
