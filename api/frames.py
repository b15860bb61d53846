"""Server-sent events as each endpoint's clients read them."""

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.types import Message

from domain.inference.events import Endpoint

_encode = msgspec.json.Encoder().encode
# The events of these say in themselves what they are called.
_NAMED: frozenset[Endpoint] = frozenset({"/v1/messages", "/v1/responses"})
_MESSAGES: Endpoint = "/v1/messages"
DONE = b"data: [DONE]\n\n"
# What clients pass over: a comment, and where the protocol has one its own sign of life.
STILL_RUNNING = b": still running\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def frames(endpoint: Endpoint, deltas: Iterable[dict[str, Any]]) -> bytes:
    """The deltas as events."""
    if endpoint in _NAMED:
        return b"".join(
            [
                b"event: %b\ndata: %b\n\n" % (str(delta["type"]).encode(), _encode(delta))
                for delta in deltas
            ]
        )
    return b"".join([b"data: %b\n\n" % _encode(delta) for delta in deltas])


def last_frame(endpoint: Endpoint) -> bytes:
    """What ends a stream after its last event."""
    return b"" if endpoint in _NAMED else DONE


def sign_of_life(endpoint: Endpoint) -> bytes:
    """What says nothing, so that nobody on the way takes the connection for dead."""
    return PING if endpoint == _MESSAGES else STILL_RUNNING


def part(content: bytes, *, last: bool = False) -> Message:
    """A part of a stream's body as the server sends it."""
    return {"type": "http.response.body", "body": content, "more_body": not last}
