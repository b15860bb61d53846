"""Reading a reply of the OpenAI wire format: whole, or put together from a stream of chunks."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from adapters.providers.assembly import Choice
from adapters.providers.failures import UNREADABLE, failure_of_error
from adapters.providers.usage import parse_usage, raw_usage, usage_of
from domain.dialects.chat.replies import FINISHES
from domain.dialects.surface import Delta
from domain.inference.events import Usage
from domain.ports.provider import ProviderFailure, ProviderReply

# No answer is longer; a provider that goes on sending must not fill the memory.
MAX_REPLY_BYTES = 32 * 2**20
# What a chunk says about the whole reply; the rest of its fields concern the chunk.
_HEAD_FIELDS = ("id", "created", "model", "service_tier")
# OpenAI's own words for the end of a choice; others are put into these.
_ENDS = frozenset({"", "stop", "length", "tool_calls", "content_filter", "function_call"})


class Reading(Protocol):
    """Takes the bytes of a reply as they come."""

    @property
    def has_begun(self) -> bool:
        """Whether any of the answer itself has come."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, though the connection still stands."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the provider said that nothing more comes."""
        ...

    @property
    def counted(self) -> Usage | None:
        """What the provider has counted so far, if it told."""
        ...

    def feed(self, part: bytes) -> Sequence[Delta]:
        """Takes the next bytes in; the events of a streamed answer that they complete, in the wire
        of the endpoint. Raises `ProviderFailure` on what makes no sense.
        """
        ...

    def end(self) -> Sequence[Delta]:
        """The events that the end of the reply completes; not called when it broke off."""
        ...

    def reply(self) -> ProviderReply:
        """The whole reply. Raises `ProviderFailure` when it is none."""
        ...


class WholeReading:
    """A reply that is one JSON object; only its end completes it."""

    has_begun = True
    is_complete = False
    is_done = False
    counted: Usage | None = None

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, part: bytes) -> Sequence[Delta]:
        self._size += len(part)
        check_size(self._size)
        self._parts.append(part)
        return ()

    def end(self) -> Sequence[Delta]:
        return ()

    def reply(self) -> ProviderReply:
        content = b"".join(self._parts)
        body = parsed_object(content)
        if body.get("error") and not (body.get("choices") or body.get("data")):
            raise failure_of_error(body["error"])
        choices = body.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                settle_finish(choice)
        usage = parse_usage(usage_of(body))
        raw = raw_usage(content) if usage else None
        return ProviderReply(body, usage, raw, _finish_reason(body))


class StreamedReading:
    """A chat completion in chunks, as server-sent events.

    It is complete when each of the `choices` asked for has its finish reason, or with `[DONE]`.
    """

    def __init__(self, choices: int) -> None:
        self._asked = choices
        # The line that is not complete yet, in the parts that it came in.
        self._pending: list[bytes] = []
        self._size = 0
        self._head: dict[str, Any] | None = None
        self._choices: dict[int, Choice] = {}
        self._usage: tuple[dict[str, Any], bytes] | None = None
        self.is_done = False

    @property
    def has_begun(self) -> bool:
        return self._head is not None

    @property
    def is_complete(self) -> bool:
        finished = sum(1 for choice in self._choices.values() if choice.finish_reason)
        return bool(self._choices) and (
            self.is_done or (finished == len(self._choices) and finished >= self._asked)
        )

    @property
    def counted(self) -> Usage | None:
        return None if self._usage is None else parse_usage(self._usage[0])

    def feed(self, part: bytes) -> Sequence[Delta]:
        self._size += len(part)
        check_size(self._size)
        self._pending.append(part)
        if b"\n" not in part:
            return ()
        *lines, rest = b"".join(self._pending).split(b"\n")
        self._pending = [rest] if rest else []
        payloads = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        chunks = [self._told(payload) for payload in payloads if payload]
        return [chunk for chunk in chunks if chunk is not None]

    def end(self) -> Sequence[Delta]:
        return self.feed(b"\n")

    def reply(self) -> ProviderReply:
        if not self.is_complete:
            raise ProviderFailure("truncated", "the provider's answer broke off")
        body = {
            **(self._head or {}),
            "object": "chat.completion",
            "choices": [choice.whole(index) for index, choice in sorted(self._choices.items())],
        }
        if self._usage is None:
            return ProviderReply(body, None, None, _finish_reason(body))
        fields, content = self._usage
        usage = parse_usage(fields)
        raw = raw_usage(content) if usage else None
        return ProviderReply({**body, "usage": fields}, usage, raw, _finish_reason(body))

    def _told(self, payload: bytes) -> Delta | None:
        if payload != b"[DONE]":
            return self._chunk(payload)
        self.is_done = True
        return None

    def _chunk(self, payload: bytes) -> Delta | None:
        """The chunk, if it is part of the answer."""
        chunk = parsed_object(payload)
        if chunk.get("error"):
            raise failure_of_error(chunk["error"])
        if (usage := usage_of(chunk)) is not None:
            self._usage = usage, payload
        if "choices" not in chunk:
            return None  # a ping, or another event that carries no part of the answer
        if self._head is None:
            self._head = {name: chunk[name] for name in _HEAD_FIELDS if name in chunk}
        try:
            for choice in chunk["choices"]:
                if choice.get("finish_reason"):
                    settle_finish(choice)
                self._choice(choice.get("index") or 0).add(choice)
        except (TypeError, AttributeError) as error:
            raise malformed() from error
        return chunk if chunk["choices"] else None

    def _choice(self, index: object) -> Choice:
        if not isinstance(index, int):
            raise TypeError("the index of a choice must be an integer")
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = Choice()
        return choice


def check_size(size: int) -> None:
    """Raises `ProviderFailure` when a reply has grown beyond what any answer is."""
    if size > MAX_REPLY_BYTES:
        raise ProviderFailure("malformed", "the provider's reply is too large")


def parsed_object(content: bytes) -> dict[str, Any]:
    """The JSON object. Raises `ProviderFailure` ("malformed") when it is none."""
    try:
        parsed = msgspec.json.decode(content)
    except UNREADABLE as error:
        raise malformed() from error
    if not isinstance(parsed, dict):
        raise malformed()
    return parsed


def settle_finish(choice: dict[str, Any]) -> None:
    """Puts a host's own word for the end of a choice into OpenAI's.

    Raises `ProviderFailure` for a word that says that the answer broke.
    """
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason not in _ENDS:
        if reason not in FINISHES:
            raise ProviderFailure("server_error", "the provider's answer ended in an error")
        choice["finish_reason"] = FINISHES[reason]


def malformed() -> ProviderFailure:
    """The failure of a reply that cannot be read."""
    return ProviderFailure("malformed", "the provider's reply cannot be read")


def _finish_reason(body: dict[str, Any]) -> str | None:
    match body.get("choices"):
        case [{"finish_reason": str() as reason}, *_]:
            return reason
        case _:
            return None
