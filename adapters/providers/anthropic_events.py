"""What the replies of Anthropic's wire have in common: events, errors and counts."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from adapters.providers.failures import failure_of_error
from adapters.providers.replies import parsed_object
from adapters.providers.sse import SseParser
from adapters.providers.usage import overlaid, parse_messages_usage
from domain.inference.events import Usage
from domain.ports.provider import ProviderFailure

_NOTHING = msgspec.Raw(b"null")
# The status that an error of each type has when it comes before the answer.
_STATUS_OF_ERROR = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Message(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING


class _Event(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING
    message: _Message | None = None


_EVENT = msgspec.json.Decoder(_Event)


def checked(content: bytes) -> dict[str, Any]:
    """An event or a whole message. Raises `ProviderFailure` when it is an error."""
    body = parsed_object(content)
    if body.get("type") == "error" or (body.get("error") and "content" not in body):
        raise _failure(body.get("error"))
    return body


def _failure(error: object) -> ProviderFailure:
    if not isinstance(error, Mapping):
        return failure_of_error(error)
    return failure_of_error({**error, "code": _STATUS_OF_ERROR.get(str(error.get("type")))})


class MessageEvents:
    """Cuts a stream into its events, each with the JSON text that it came in."""

    def __init__(self) -> None:
        self._parser = SseParser()

    def feed(self, part: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The events that `part` completes. Raises `ProviderFailure` for an error among them."""
        for event in self._parser.feed(part):
            yield checked(event.data), event.data

    def end(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """What a last event without its blank line says."""
        for event in self._parser.end():
            yield checked(event.data), event.data


class Counts:
    """The usage as it is told: at the start, and again, in total, at the end."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, content: bytes) -> bool:
        """Takes the usage of an event or a whole message in; whether there was one."""
        try:
            event = _EVENT.decode(content)
        except msgspec.ValidationError:
            return False
        places = (event.usage, event.message.usage if event.message else _NOTHING)
        told = [text.decode() for place in places if (text := bytes(place)).startswith(b"{")]
        self._texts.extend(told)
        return bool(told)

    def told(self) -> tuple[Usage, str] | None:
        """The counts, and their JSON text; None when they are absent or make no sense."""
        if not self._texts:
            return None
        text = self._texts[0] if len(self._texts) == 1 else overlaid(self._texts)
        usage = parse_messages_usage(msgspec.json.decode(text))
        return None if usage is None else (usage, text)
