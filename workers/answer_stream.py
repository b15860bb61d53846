"""The events of an answer on their way into its buffer, for clients that come and go."""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from domain.dialects.surface import Delta, Outgoing
from domain.errors import StoreUnavailable
from domain.ports.answer_streams import AnswerStreams
from domain.ports.payloads import PayloadErased
from domain.ports.stream_buffers import BufferFull, StreamGone

# Why events are not kept any more; the answer itself is none the worse for it.
_LOST = (BufferFull, StreamGone, PayloadErased, StoreUnavailable, ValueError)

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


class AnswerStream:
    """Writes the events of one answer, in the order that they are taken in."""

    def __init__(
        self, streams: AnswerStreams, account_id: str, stream_id: str, outgoing: Outgoing
    ) -> None:
        self._streams = streams
        self._account_id, self._stream_id = account_id, stream_id
        self._outgoing = outgoing
        self._waiting: list[bytes] = []
        self._written = 0
        self._moved = asyncio.Event()
        self._is_over = self._is_lost = False

    def begin(self) -> None:
        """Takes in what goes before the first event."""
        self._take_in(self._outgoing.opening())

    def take(self, delta: Delta) -> None:
        """Takes an event in."""
        self._take_in(self._outgoing.shown(delta))

    def finish(self) -> None:
        """Nothing more comes."""
        self._is_over = True
        self._moved.set()

    async def write(self) -> None:
        """Writes until `finish`; when events cannot be kept, the readers are left to the end."""
        try:
            while True:
                await self._moved.wait()
                self._moved.clear()
                await self._flush()
                if self._is_over and not self._waiting:
                    await self._streams.end(self._stream_id, self._written)
                    return
        except _LOST as error:
            self._is_lost = True
            self._waiting.clear()
            log.warning("answer_stream.lost", stream_id=self._stream_id, error=str(error))

    async def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._written = await self._streams.append(
                self._account_id, self._stream_id, self._written, waiting
            )

    def _take_in(self, events: Sequence[Delta]) -> None:
        if events and not self._is_lost:
            self._waiting.extend(map(_encode, events))
            self._moved.set()
