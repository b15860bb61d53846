"""A cheap client of streamed chats, which notes when each chunk of the mock provider arrives."""

import asyncio
import time
from dataclasses import dataclass, field

from infra.benchmarks.chat_mock import STAMP
from infra.benchmarks.http_load import LAST_CHUNK


@dataclass(slots=True)
class Streamed:
    """One stream; all times in nanoseconds of the clock that the machine's processes share.

    `written_at` and `arrived_at` go chunk by chunk; `reads` counts the reads that had any.
    """

    sent_at: int
    written_at: list[int] = field(default_factory=list)
    arrived_at: list[int] = field(default_factory=list)
    reads: int = 0

    @property
    def first_ms(self) -> float:
        """From the request until the first chunk was there."""
        return (self.arrived_at[0] - self.sent_at) / 1e6

    @property
    def delays_ms(self) -> list[float]:
        """How long each chunk after the first was on its way."""
        pairs = zip(self.arrived_at[1:], self.written_at[1:], strict=True)
        return [(arrived - written) / 1e6 for arrived, written in pairs]

    @property
    def gaps_ms(self) -> list[float]:
        """The times between chunks as they arrived."""
        pairs = zip(self.arrived_at[1:], self.arrived_at, strict=False)
        return [(later - earlier) / 1e6 for later, earlier in pairs]


class _StreamConnection(asyncio.Protocol):
    def __init__(self) -> None:
        self.streamed = Streamed(time.monotonic_ns())
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # What was read after the last stamp, and all of it while no stamp came.
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._rest += data
        end = 0
        for found in STAMP.finditer(self._rest):
            self.streamed.written_at.append(int(found[1]))
            self.streamed.arrived_at.append(now)
            end = found.end()
        self.streamed.reads += end > 0
        self._rest = self._rest[end:]
        if self._rest.endswith(LAST_CHUNK) and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError(f"{exc}: {self._rest.decode()}"))


async def stream(host: str, port: int, raw: bytes, chunks: int) -> Streamed:
    """Reads one streamed answer on a connection of its own; connecting is not in its times."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(_StreamConnection, host, port)
    protocol.streamed.sent_at = time.monotonic_ns()
    transport.write(raw)
    try:
        await protocol.ended
    finally:
        transport.close()
    got = len(protocol.streamed.arrived_at)
    assert got == chunks, f"{got} of {chunks} chunks came"
    return protocol.streamed
