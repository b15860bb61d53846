"""Answer streams: the events of answers that are made in the background, kept for a while."""

from collections.abc import Sequence
from typing import Protocol

from domain.ports.stream_buffers import Excerpt


class AnswerStreams(Protocol):
    """Stream buffers whose chunks are events in clear here, and sealed wherever they are kept.

    Numbers, ends and what is raised are those of `domain.ports.stream_buffers.StreamBuffers`.
    Further laws, held by `tests/contract/test_answer_streams.py`:

    1. What `read` gives is what `append` was given, for the same account only.
    2. What cannot be opened any more raises `PayloadErased`, what was altered `ValueError`.
    """

    async def append(
        self, account_id: str, stream_id: str, after: int, events: Sequence[bytes]
    ) -> int: ...

    async def end(self, stream_id: str, after: int) -> None: ...

    async def read(self, account_id: str, stream_id: str, after: int, limit: int) -> Excerpt: ...

    async def wait(self, stream_id: str, after: int) -> None: ...

    async def forget(self, stream_id: str) -> None: ...
