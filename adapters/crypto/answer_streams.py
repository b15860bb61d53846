"""Answer streams: stream buffers that hold nothing but ciphertext."""

from collections.abc import Sequence

import msgspec

from adapters.crypto.payloads import INLINE_BYTES
from domain.ports.payloads import Payloads
from domain.ports.stream_buffers import Excerpt, StreamBuffers
from domain.sealed import Sealed

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Sealed]).decode


class SealedStreams:
    """`AnswerStreams` over buffers, which may be another process's memory.

    A long event is sealed in slices, each small enough to stand inline: a blob would outlive
    the buffer.
    """

    def __init__(self, buffers: StreamBuffers, payloads: Payloads) -> None:
        self._buffers, self._payloads = buffers, payloads

    async def append(
        self, account_id: str, stream_id: str, after: int, events: Sequence[bytes]
    ) -> int:
        chunks = [
            await self._sealed(account_id, f"{stream_id}/stream/{number}", event)
            for number, event in enumerate(events, after + 1)
        ]
        return await self._buffers.append(stream_id, after, chunks)

    async def end(self, stream_id: str, after: int) -> None:
        await self._buffers.end(stream_id, after)

    async def read(self, account_id: str, stream_id: str, after: int, limit: int) -> Excerpt:
        excerpt = await self._buffers.read(stream_id, after, limit)
        opened = [
            (number, await self._opened(account_id, f"{stream_id}/stream/{number}", chunk))
            for number, chunk in excerpt.chunks
        ]
        return Excerpt(tuple(opened), excerpt.state)

    async def wait(self, stream_id: str, after: int) -> None:
        await self._buffers.wait(stream_id, after)

    async def forget(self, stream_id: str) -> None:
        await self._buffers.forget(stream_id)

    async def _sealed(self, account_id: str, context: str, event: bytes) -> bytes:
        slices = [
            event[start : start + INLINE_BYTES] for start in range(0, len(event), INLINE_BYTES)
        ]
        return _encode([await self._payloads.seal(account_id, context, one) for one in slices])

    async def _opened(self, account_id: str, context: str, chunk: bytes) -> bytes:
        try:
            slices = _decode(chunk)
        except msgspec.DecodeError as error:
            raise ValueError("the chunk was altered") from error
        if any(one.context != context for one in slices):
            raise ValueError("the chunk belongs elsewhere")
        return b"".join([await self._payloads.open(account_id, one) for one in slices])
