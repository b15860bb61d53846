"""Reasoning that a host leaves in the text: `<think>…</think>` at the very beginning."""

from collections.abc import Iterator

from domain.dialects.pieces import Piece, TextDelta, ThinkingDelta

_OPENING, _CLOSING = "<think>", "</think>"


class ThinkTags:
    """Tells the reasoning from the text of one choice; a tag may come in several fragments."""

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._pending = ""
        self._read = self._beginning

    def split(self, text: str) -> Iterator[Piece]:
        """The pieces that `text` completes."""
        self._pending += text
        yield from self._read()

    def end(self) -> Iterator[Piece]:
        """What was kept because it might have been the beginning of a tag."""
        text, self._pending = self._pending, ""
        if text:
            is_thought = self._read == self._thought
            yield (ThinkingDelta if is_thought else TextDelta)(text, self._choice)

    def _beginning(self) -> Iterator[Piece]:
        begun = self._pending.lstrip()
        if begun.startswith(_OPENING):
            self._pending = begun.removeprefix(_OPENING).lstrip("\n")
            self._read = self._thought
            yield from self._thought()
        elif not _OPENING.startswith(begun):
            self._read = self._said
            yield from self._said()

    def _thought(self) -> Iterator[Piece]:
        thought, closing, rest = self._pending.partition(_CLOSING)
        if closing:
            self._pending, self._read = rest, self._gap
        else:
            kept = _begun_tag(thought)
            self._pending = thought[len(thought) - kept :]
            thought = thought[: len(thought) - kept]
        if thought:
            yield ThinkingDelta(thought, self._choice)
        if closing:
            yield from self._gap()

    def _gap(self) -> Iterator[Piece]:
        """The empty lines between the reasoning and the text are of neither."""
        self._pending = self._pending.lstrip("\n")
        if self._pending:
            self._read = self._said
            yield from self._said()

    def _said(self) -> Iterator[Piece]:
        text, self._pending = self._pending, ""
        if text:
            yield TextDelta(text, self._choice)


def _begun_tag(text: str) -> int:
    """How many characters at the end may be the beginning of the closing tag."""
    lengths = range(min(len(text), len(_CLOSING) - 1), 0, -1)
    return next((n for n in lengths if text.endswith(_CLOSING[:n])), 0)
