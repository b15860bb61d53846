"""Reading a reply of Anthropic's wire: for its own callers as it is, for others as pieces."""

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.providers.anthropic_events import Counts, MessageEvents, checked
from adapters.providers.replies import Reading, WholeReading, check_size, malformed
from adapters.providers.translated import TranslatedReading
from domain.dialects.fields import fragment, json_object
from domain.dialects.messages.replies import EventReader
from domain.dialects.messages.words import finish_of
from domain.dialects.pieces import Piece, UsageReported
from domain.dialects.surface import Delta
from domain.inference.events import Usage
from domain.ports.provider import ProviderCall, ProviderFailure, ProviderReply

# What each kind of delta goes on with, and under which name it stands in its block.
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def messages_reading(call: ProviderCall, *, streamed: bool) -> Reading:
    """What takes in the reply to `call`, in the wire of its endpoint."""
    if call.endpoint != "/v1/messages":
        return TranslatedReading(call, MessagePieceReader(streamed=streamed))
    return StreamedMessage() if streamed else WholeMessage()


class WholeMessage(WholeReading):
    """A reply that is one message."""

    def reply(self) -> ProviderReply:
        content = b"".join(self._parts)
        return _reply(checked(content), [content])


class StreamedMessage:
    """See `adapters.providers.replies.Reading`; the events go on as they are."""

    def __init__(self) -> None:
        self._events = MessageEvents()
        self._size = 0
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, _Block] = {}
        self._counted: list[bytes] = []
        self.is_done = False

    @property
    def has_begun(self) -> bool:
        return self._message is not None

    @property
    def is_complete(self) -> bool:
        return self._message is not None and self._message.get("stop_reason") is not None

    @property
    def counted(self) -> Usage | None:
        return _counted(self._counted)[0]

    def feed(self, part: bytes) -> Sequence[Delta]:
        self._size += len(part)
        check_size(self._size)
        return [self._take(*event) for event in self._events.feed(part)]

    def end(self) -> Sequence[Delta]:
        return [self._take(*event) for event in self._events.end()]

    def reply(self) -> ProviderReply:
        if self._message is None or not self.is_complete:
            raise ProviderFailure("truncated", "the provider's answer broke off")
        content = [block.whole() for _, block in sorted(self._blocks.items())]
        return _reply({**self._message, "content": content}, self._counted)

    def _take(self, event: dict[str, Any], content: bytes) -> Delta:
        try:
            self._grow(event, content)
        except (TypeError, KeyError, AttributeError) as error:
            raise malformed() from error
        return event

    def _grow(self, event: dict[str, Any], content: bytes) -> None:
        match event.get("type"):
            case "message_start":
                self._message = dict(event["message"])
                self._counted.append(content)
            case "content_block_start":
                self._blocks[event["index"]] = _Block(event["content_block"])
            case "content_block_delta":
                self._blocks[event["index"]].add(event["delta"])
            case "message_delta" if self._message is not None:
                told = event["delta"].items()
                self._message |= {name: value for name, value in told if value is not None}
                self._counted.append(content)
            case "message_stop":
                self.is_done = True


class _Block:
    """One content block on its way in."""

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = dict(start)
        self._texts: dict[str, list[str]] = {}

    def add(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind in _TEXTS:
            name = _TEXTS[kind]
            self._texts.setdefault(name, []).append(fragment(delta[name]))
        elif kind == "input_json_delta":
            self._texts.setdefault("input", []).append(fragment(delta["partial_json"]))
        elif kind == "citations_delta":
            self._start["citations"] = [*(self._start.get("citations") or ()), delta["citation"]]

    def whole(self) -> dict[str, Any]:
        block = dict(self._start)
        for name, texts in self._texts.items():
            text = "".join(texts)
            if name != "input":
                block[name] = fragment(block.get(name)) + text
            elif text:
                block["input"] = json_object(text)
        return block


class MessagePieceReader:
    """See `adapters.providers.translated.PieceReader`."""

    def __init__(self, *, streamed: bool) -> None:
        self._events = MessageEvents() if streamed else None
        self._reader = EventReader()
        self._counts = Counts()
        self._parts: list[bytes] = []
        self.is_done = False

    def feed(self, part: bytes) -> Iterator[Piece]:
        if self._events is None:
            self._parts.append(part)
            return
        for event in self._events.feed(part):
            yield from self._pieces(*event)

    def end(self) -> Iterator[Piece]:
        if self._events is not None:
            for event in self._events.end():
                yield from self._pieces(*event)
            return
        content = b"".join(self._parts)
        message = checked(content)
        yield from self._usage(content)
        yield from self._reader.whole(message)

    def _pieces(self, event: dict[str, Any], content: bytes) -> Iterator[Piece]:
        kind = event.get("type")
        if kind in ("message_start", "message_delta"):
            yield from self._usage(content)
        elif kind == "message_stop":
            self.is_done = True
        yield from self._reader.event(event)

    def _usage(self, content: bytes) -> Iterator[Piece]:
        if self._counts.add(content) and (told := self._counts.told()) is not None:
            yield UsageReported(*told)


def _reply(message: dict[str, Any], counted: Sequence[bytes]) -> ProviderReply:
    usage, raw = _counted(counted)
    return ProviderReply(message, usage, raw, _finish(message.get("stop_reason")))


def _counted(contents: Sequence[bytes]) -> tuple[Usage | None, str | None]:
    counts = Counts()
    for content in contents:
        counts.add(content)
    return counts.told() or (None, None)


def _finish(stop_reason: object) -> str | None:
    try:
        return finish_of(str(stop_reason))
    except ValueError:
        return None  # a reason of Anthropic's that its own callers may know
