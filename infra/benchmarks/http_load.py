"""A cheap HTTP/1.1 load generator: keep-alive connections on raw asyncio protocols.

A full client would cost more than the server under test; this one only finds the status and the
end of each reply.
"""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

NONE: Mapping[str, str] = {}
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection with one request in flight."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(exc)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        found = _whole_reply(self._buffer)
        if found is None:
            return
        status, body, self._buffer = found
        if self._answer is not None:
            answer, self._answer = self._answer, None
            answer.set_result((status, body))

    async def request(self, raw: bytes) -> tuple[int, bytes]:
        """Sends one request; the status and the body of its reply."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            raise ConnectionError("not connected")
        self._transport.write(raw)
        return await self._answer

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()


def _whole_reply(buffer: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, body and what follows, once the reply is complete; chunks are left as they came."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head, start = buffer[:head_end].lower(), head_end + 4
    place = head.find(b"content-length:")
    if place >= 0:
        end = start + int(head[place + 15 :].split(b"\r\n", 1)[0])
    else:
        last = buffer.find(LAST_CHUNK, head_end)
        end = len(buffer) + 1 if last < 0 else last + len(LAST_CHUNK)
    if len(buffer) < end:
        return None
    return int(head[9:12]), buffer[start:end], buffer[end:]


def whole_request(buffer: bytes) -> tuple[bytes, bytes] | None:
    """The body of a request and what follows it, once the request is complete."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = buffer[:head_end].lower()
    place = head.find(b"content-length:")
    length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
    end = head_end + 4 + length
    return None if len(buffer) < end else (buffer[head_end + 4 : end], buffer[end:])


async def connect(host: str, port: int) -> Connection:
    """A connection to the server."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


def post(path: str, key: str, body: bytes, headers: Mapping[str, str] = NONE) -> bytes:
    """The bytes of a POST."""
    further = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n{further}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, key: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\r\n".encode()


@dataclass(slots=True)
class Measured:
    """What a run came to; latencies in seconds, `cpu_seconds` of the server's process."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def cpu_us(self) -> float:
        """CPU time of the server for one request, in microseconds."""
        return self.cpu_seconds / sum(self.statuses.values()) * 1e6

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """A percentile of the latencies in milliseconds."""
        if len(self.latencies) < 2:
            return self.latencies[0] * 1000
        cuts = statistics.quantiles(self.latencies, n=1000, method="inclusive")
        return cuts[round(share * 1000) - 1] * 1000


async def run_load(
    host: str, port: int, count: int, in_flight: int, raw: Callable[[int], bytes]
) -> Measured:
    """Sends `count` requests, so many in flight; `raw` makes the bytes of the n-th."""
    return await _run(host, port, iter(range(count)), in_flight, raw)


async def run_for(host: str, port: int, seconds: float, in_flight: int, raw: bytes) -> Measured:
    """Sends one request again and again, so many in flight, until the time is over."""
    return await _run(host, port, _until(time.perf_counter() + seconds), in_flight, lambda _: raw)


async def _run(
    host: str, port: int, todo: Iterator[int], in_flight: int, raw: Callable[[int], bytes]
) -> Measured:
    measured = Measured(0.0)

    async def worker() -> None:
        connection = await connect(host, port)
        for number in todo:
            sent = time.perf_counter()
            status, _ = await connection.request(raw(number))
            measured.latencies.append(time.perf_counter() - sent)
            measured.statuses[status] += 1
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    measured.seconds = time.perf_counter() - started
    return measured


def _until(end: float) -> Iterator[int]:
    return itertools.takewhile(lambda _: time.perf_counter() < end, itertools.count())
