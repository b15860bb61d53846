"""How many tokens a request would ask: for Anthropic's clients and for OpenAI's."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.auth import authenticate, ports_of
from api.continuing import continued
from api.interactive import object_of
from api.token_counts import MESSAGES_PATH, RESPONSES_PATH, SOURCE_HEADER, count_asked

# The document has them from `api.token_counts`.
router = APIRouter(include_in_schema=False)


@router.post(MESSAGES_PATH)
async def count_message_tokens(request: Request) -> Response:
    """The input tokens of a message."""
    caller, ports = authenticate(request, "inference"), ports_of(request)
    body = await object_of(request)
    count = await count_asked(ports, caller.account_id, "/v1/messages", body)
    return JSONResponse({"input_tokens": count.tokens}, headers={SOURCE_HEADER: count.source})


@router.post(RESPONSES_PATH)
async def count_response_tokens(request: Request) -> Response:
    """The input tokens of a response, with those of what it goes on with."""
    caller, ports = authenticate(request, "inference"), ports_of(request)
    body = await continued(ports, caller, await object_of(request))
    count = await count_asked(ports, caller.account_id, "/v1/responses", body)
    told = {"object": "response.input_tokens", "input_tokens": count.tokens}
    return JSONResponse(told, headers={SOURCE_HEADER: count.source})
