"""Stream buffers: the chunks of running streams, for clients that come back for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from domain.errors import TooLarge

# "cut": the bounds were reached, and what followed was not kept.
StreamState = Literal["open", "ended", "cut"]


class StreamGone(Exception):
    """Chunks before the wanted one are not kept: they expired, or were lost with their medium.

    `last` is the number of the last chunk that is kept, 0 when nothing is.
    """

    def __init__(self, stream_id: str, last: int) -> None:
        super().__init__(f"{stream_id}: nothing is kept after chunk {last}")
        self.stream_id, self.last = stream_id, last


class BufferFull(TooLarge):
    """The stream has more chunks or bytes than are kept of one."""

    code = "stream_buffer_full"


@dataclass(frozen=True, slots=True)
class BufferBounds:
    """What is kept of one stream, and how long after its last append."""

    chunks: int = 20_000
    total_bytes: int = 4 * 1024 * 1024
    expiry_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Chunks with their numbers; `state` is that of the stream when they were read."""

    chunks: tuple[tuple[int, bytes], ...]
    state: StreamState


class StreamBuffers(Protocol):
    """Chunks are opaque, and numbered from 1. `after` is always the number of a chunk, 0 for none.

    A stream has one writer, which says what it believes to be the last chunk. What must not stand
    in clear the writer seals. Laws, held by `tests/contract/test_stream_buffers.py`:

    1. Every node reads the chunks with their numbers in order, without a gap.
    2. `append` returns the number of the last chunk. Chunks that are there already are not added
       again, so that an append may be repeated.
    3. When a chunk before the wanted one is not kept, `append`, `end` and `read` raise
       `StreamGone` and change nothing: numbers never start anew, a gap is never papered over.
    4. An append that would pass the bounds raises `BufferFull`, adds nothing and cuts the stream:
       so does every later one. What is there can be read.
    5. The state is "ended" only when `end` was called on the whole stream; twice is once, and a
       cut stream stays cut. Appending a new chunk to an ended stream raises `ValueError`.
    6. `wait` returns once there is something after `after` to read, or the stream is not open or
       not kept. It may return for no reason, and does so within two seconds: look again then.
    7. A stream that nobody has written yet is open and empty.
    8. A stream is forgotten once nothing has been appended for the expiry time.
    9. After `forget` the node that forgot, and every one that did not write the stream, finds it
       as one that nobody has written. A writer elsewhere keeps its own copy until that expires.
    """

    async def append(self, stream_id: str, after: int, chunks: Sequence[bytes]) -> int: ...

    async def end(self, stream_id: str, after: int) -> None: ...

    async def read(self, stream_id: str, after: int, limit: int) -> Excerpt:
        """At most `limit` chunks, at least one when there is any."""
        ...

    async def wait(self, stream_id: str, after: int) -> None: ...

    async def forget(self, stream_id: str) -> None:
        """Drops what is kept of the stream. A second time changes nothing."""
        ...
