"""Reading a reply in one wire and telling it in that of the caller's endpoint."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from adapters.providers.replies import check_size, malformed
from domain.dialects.collecting import Collector
from domain.dialects.pieces import Piece
from domain.dialects.surface import Delta
from domain.dialects.surfaces import SURFACES
from domain.inference.events import Usage
from domain.ports.provider import ProviderCall, ProviderFailure, ProviderReply


class PieceReader(Protocol):
    """Reads the bytes of a reply, whole or streamed, as canonical pieces."""

    def feed(self, part: bytes) -> Iterable[Piece]:
        """The pieces that `part` completes. Raises `ProviderFailure` on an error in the reply and
        on what cannot be read.
        """
        ...

    def end(self) -> Iterable[Piece]:
        """The rest, once the reply has ended."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the provider said that nothing more comes."""
        ...


@runtime_checkable
class CountsAlong(Protocol):
    """A `PieceReader` that knows what was counted before it tells."""

    @property
    def counted(self) -> Usage | None:
        """What the provider has counted so far."""
        ...


class TranslatedReading:
    """See `adapters.providers.replies.Reading`."""

    def __init__(self, call: ProviderCall, reader: PieceReader) -> None:
        self._reader = reader
        self._surface = SURFACES[call.endpoint]
        self._renderer = self._surface.renderer()
        self._collector = Collector()
        self._size = 0

    @property
    def has_begun(self) -> bool:
        return self._collector.has_begun

    @property
    def is_complete(self) -> bool:
        return self._collector.is_complete

    @property
    def is_done(self) -> bool:
        return self._reader.is_done

    @property
    def counted(self) -> Usage | None:
        if self._collector.usage is None and isinstance(self._reader, CountsAlong):
            return self._reader.counted
        return self._collector.usage

    def feed(self, part: bytes) -> Sequence[Delta]:
        self._size += len(part)
        check_size(self._size)
        return self._told(self._reader.feed(part))

    def end(self) -> Sequence[Delta]:
        return self._told(self._reader.end())

    def reply(self) -> ProviderReply:
        if not self._collector.is_complete:
            raise ProviderFailure("truncated", "the provider's answer broke off")
        answer = self._collector.answer()
        return ProviderReply(
            self._surface.whole(answer), answer.usage, answer.raw_usage, answer.choices[0].finish
        )

    def _told(self, pieces: Iterable[Piece]) -> list[Delta]:
        deltas: list[Delta] = []
        try:
            for piece in pieces:
                self._collector.add(piece)
                deltas.extend(self._renderer.deltas(piece))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise malformed() from error
        return deltas
