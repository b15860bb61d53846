"""A response that goes on with an earlier one: what was said before is put in front."""

from typing import Any

import msgspec

from api.auth import Caller
from api.ports import ApiPorts
from api.response_objects import earlier_items, items_of
from domain.errors import NotFound, TooLarge

_encode = msgspec.json.Encoder().encode


async def continued(ports: ApiPorts, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """The body with what was said before in front, where it goes on with another response.

    Raises `TooLarge` for more than could be sent at once: what goes on and on would have no bound.
    """
    earlier = body.get("previous_response_id")
    given = body.get("input")
    if not isinstance(earlier, str) or not isinstance(given, str | list):
        return body
    try:
        before = await earlier_items(ports, caller.account_id, earlier)
    except NotFound as error:
        message = f"the previous response {earlier[:80]} is not to be found"
        code, param = "previous_response_not_found", "previous_response_id"
        raise NotFound(message, code=code, param=param) from error
    items = [*before, *items_of(given)]
    if len(_encode(items)) > ports.limits.max_body_bytes:
        raise TooLarge(
            "what was said before and the new input are larger than a request may be",
            param="previous_response_id",
        )
    return {**body, "input": items}
