"""The HTTP server alone: which of its clients count as gone, told by what they leave unread."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.http_server import server_config

# So little that a reply outgrows them; the kernel makes more of it.
KERNEL_BYTES = 4096
WRITE_TIMEOUT = 0.4
# Less than a transport holds before it tells that it holds too much.
SHORT = b"x" * 40_000
LONG = b"x" * 1_000_000


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(content: bytes) -> AsyncIterator[_Server]:
    """A server that answers every request with this."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(content)(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        config = server_config(app, write_timeout=WRITE_TIMEOUT, ending_seconds=1)
        server = _Server(config)
        task = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield server
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def asked(server: _Server, *, closes: bool = True) -> AsyncIterator[socket.socket]:
    """The connection of a client that has sent a request and read nothing yet."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        connection.setblocking(False)
        await loop.sock_connect(connection, server.servers[0].sockets[0].getsockname())
        ends = b"connection: close\r\n" if closes else b""
        await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nhost: h\r\n" + ends + b"\r\n")
        yield connection


async def all_gone(server: _Server) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT * 10):
        while server.server_state.connections:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("content", [SHORT, LONG], ids=["short", "long"])
async def test_who_reads_nothing_of_a_reply_counts_as_gone(content: bytes, *, closes: bool) -> None:
    async with serving(content) as server, asked(server, closes=closes):
        await asyncio.sleep(WRITE_TIMEOUT / 2)
        assert server.server_state.connections
        await all_gone(server)


async def test_who_stops_reading_before_the_last_of_a_reply_counts_as_gone() -> None:
    async with serving(LONG) as server, asked(server) as connection:
        loop, left = asyncio.get_running_loop(), len(LONG) - len(SHORT)
        while left > 0:
            left -= len(await loop.sock_recv(connection, left))
        await all_gone(server)


async def test_who_reads_slowly_but_reads_gets_all_of_a_reply() -> None:
    async with serving(LONG) as server, asked(server) as connection:
        loop, read, begun_at = asyncio.get_running_loop(), 0, asyncio.get_running_loop().time()
        while part := await loop.sock_recv(connection, 2**16):
            read += len(part)
            await asyncio.sleep(WRITE_TIMEOUT / 100)
        assert read > len(LONG)
        assert loop.time() - begun_at > 2 * WRITE_TIMEOUT
        await all_gone(server)
