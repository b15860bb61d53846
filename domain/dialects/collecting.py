"""Putting a whole answer together from its pieces."""

from dataclasses import dataclass, field, replace

from domain.dialects.canonical import (
    Answer,
    Choice,
    Part,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from domain.dialects.pieces import (
    Finished,
    Piece,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolArguments,
    ToolStarted,
    UsageReported,
)
from domain.inference.events import Usage


@dataclass(slots=True)
class _Growing:
    """One choice; the texts of the part that grows last are kept apart until it ends."""

    parts: list[Part] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    kind: type[Text] | type[Thinking] | type[Refusal] | None = None
    calls: dict[int, tuple[ToolStarted, list[str]]] = field(default_factory=dict)
    finished: Finished | None = None

    def grow(self, kind: type[Text] | type[Thinking] | type[Refusal], text: str) -> None:
        if self.kind is not kind:
            self.end_part()
            self.kind = kind
        self.texts.append(text)

    def end_part(self) -> None:
        text, self.texts = "".join(self.texts), []
        if self.kind is Thinking:
            self.parts.append(Thinking(text=text))
        elif self.kind is not None and text:
            self.parts.append(Text(text) if self.kind is Text else Refusal(text))
        self.kind = None

    def sign(self, piece: ThinkingSigned) -> None:
        self.end_part()
        if piece.redacted is not None:
            self.parts.append(Redacted(data=piece.redacted, vendor=piece.vendor))
        elif self.parts and isinstance(last := self.parts[-1], Thinking):
            self.parts[-1] = replace(last, signature=piece.signature, vendor=piece.vendor)
        else:
            self.parts.append(Thinking(text="", signature=piece.signature, vendor=piece.vendor))

    def whole(self) -> Choice:
        self.end_part()
        if self.finished is None:
            raise ValueError("the choice has not finished")
        calls = [
            ToolCall(
                id=started.id,
                name=started.name,
                arguments="".join(texts),
                signature=started.signature,
                vendor=started.vendor,
            )
            for _, (started, texts) in sorted(self.calls.items())
        ]
        return Choice(
            parts=(*self.parts, *calls),
            finish=self.finished.reason,
            stop_sequence=self.finished.stop_sequence,
        )


class Collector:
    """Takes the pieces of an answer in."""

    def __init__(self) -> None:
        self._choices: dict[int, _Growing] = {}
        self._usage: UsageReported | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every choice that began has finished, and one did."""
        return bool(self._choices) and all(one.finished for one in self._choices.values())

    @property
    def has_begun(self) -> bool:
        """Whether any of the answer has come."""
        return bool(self._choices)

    @property
    def usage(self) -> Usage | None:
        """What the provider has counted so far."""
        return None if self._usage is None else self._usage.usage

    def add(self, piece: Piece) -> None:
        """Takes one in. Raises `ValueError` for arguments of a tool call that never began."""
        if isinstance(piece, UsageReported):
            self._usage = piece
            return
        choice = self._choices.setdefault(piece.choice, _Growing())
        match piece:
            case TextDelta(text=text):
                choice.grow(Text, text)
            case ThinkingDelta(text=text):
                choice.grow(Thinking, text)
            case RefusalDelta(text=text):
                choice.grow(Refusal, text)
            case ThinkingSigned():
                choice.sign(piece)
            case ToolStarted():
                choice.calls[piece.index] = piece, []
            case ToolArguments(index=index, text=text):
                if index not in choice.calls:
                    raise ValueError("arguments of a tool call that did not begin")
                choice.calls[index][1].append(text)
            case Finished():
                choice.finished = piece

    def answer(self) -> Answer:
        """The whole answer. Raises `ValueError` unless it is complete."""
        if not self._choices:
            raise ValueError("there is no choice")
        usage = self._usage
        return Answer(
            choices=tuple(one.whole() for _, one in sorted(self._choices.items())),
            usage=None if usage is None else usage.usage,
            raw_usage=None if usage is None else usage.raw,
        )
