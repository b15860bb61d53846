"""A chat provider that costs next to nothing: whole answers at once, streams at a stated pace.

`python -m infra.benchmarks.chat_mock` serves until it is stopped and prints where. The pace of a
stream stands in its prompt, where every gateway passes it on. Each chunk carries the moment at
which it was written, by the clock that all processes of a machine share.
"""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvloop

from infra.benchmarks.http_load import whole_request
from infra.benchmarks.subjects import ANSWER, HOST, LOAD_CORE, PROMPT, Subject, process

STREAM = re.compile(rb'"stream":\s*true')
PACE = re.compile(rb"chunks=(\d+) gap_ms=([\d.]+)")
STAMP = re.compile(rb"@(\d+)@")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a streamed answer comes; the first chunk comes at once."""

    chunks: int
    gap_ms: float


def chat_body(model: str, pace: Pace | None = None) -> bytes:
    """A request of about one kilobyte, streamed at `pace`."""
    body: dict[str, object] = {
        "model": model,
        "max_tokens": 200,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": PROMPT},
        ],
    }
    if pace is not None:
        pace_text = f"chunks={pace.chunks} gap_ms={pace.gap_ms}"
        body["stream"] = True
        body["messages"] = [{"role": "user", "content": f"{PROMPT} {pace_text}"}]
    return json.dumps(body).encode()


@contextlib.contextmanager
def chat_mock() -> Iterator[Subject]:
    """The provider in a process of its own, on the core of the load."""
    with process([sys.executable, "-m", __name__], {LOAD_CORE}) as (pid, port):
        yield Subject(pid, port)


class _Provider(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while found := whole_request(self._buffer):
            body, self._buffer = found
            if STREAM.search(body):
                self._stream(body)
            else:
                self._transport.write(WHOLE)

    def _stream(self, body: bytes) -> None:
        found = PACE.search(body)
        pace = Pace(int(found[1]), float(found[2])) if found else Pace(1, 0)
        self._transport.write(STREAM_HEAD + _event({"role": "assistant", "content": ""}))
        self._chunk(pace, 0, asyncio.get_running_loop().time())

    def _chunk(self, pace: Pace, number: int, begun: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_event({"content": f"@{time.monotonic_ns()}@ "}))
        number += 1
        at = begun + number * pace.gap_ms / 1000
        loop = asyncio.get_running_loop()
        if number < pace.chunks:
            loop.call_at(at, self._chunk, pace, number, begun)
        else:
            loop.call_at(at, self._transport.write, STREAM_END)


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _part({"choices": [choice]})


def _part(told: dict[str, object]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    return _chunked(b"data: " + json.dumps({**chunk, **told}).encode() + b"\n\n")


def _chunked(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


USAGE = {"prompt_tokens": 210, "completion_tokens": 100, "total_tokens": 310}
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
STREAM_END = (
    _event({}, "stop")
    + _part({"choices": [], "usage": USAGE})
    + _chunked(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Provider, HOST, 0, backlog=4096)
    print(f"http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
