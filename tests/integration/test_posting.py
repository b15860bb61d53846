"""One POST over a kept connection, against a server that speaks in bytes."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError
from yarl import URL

from adapters.providers.posting import Poster
from adapters.providers.session import HttpSession

CONTENT = b'{"model":"alpha"}'
HELLO = (
    b"HTTP/1.1 200 OK\r\ncontent-type: Text/Plain; charset=utf-8\r\ncontent-length: 5\r\n\r\nhello"
)


@dataclass
class Server:
    """Answers each request with `answer`; keeps the heads and bodies that came."""

    answer: bytes
    port: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/v1/chat", user: str = "") -> URL:
        return URL(f"http://{user}127.0.0.1:{self.port}{path}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append((head, await reader.readexactly(length)))
                writer.write(self.answer)
                if not self.answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


@pytest.fixture
async def session() -> AsyncIterator[HttpSession]:
    opened = HttpSession()
    yield opened
    await opened.close()


@pytest.fixture
def poster(session: HttpSession) -> Poster:
    return Poster(session)


async def answered(poster: Poster, url: URL, **headers: str) -> tuple[int, str, bytes]:
    async with poster.post(url, headers, CONTENT, 5) as response:
        return response.status, response.content_type, await response.content.read()


async def test_a_response_is_told_by_its_status_type_and_content(poster: Poster) -> None:
    async with serving(HELLO) as server:
        assert await answered(poster, server.url()) == (200, "text/plain", b"hello")


async def test_the_request_is_whole_and_says_each_header_once(poster: Poster) -> None:
    async with serving(HELLO) as server:
        await answered(poster, server.url("/v1/chat?a=b"), accept="text/plain")
    head, body = server.requests[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/chat?a=b HTTP/1.1"
    assert body == CONTENT
    assert f"host: 127.0.0.1:{server.port}" in lines
    assert [line for line in lines if line.startswith("accept:")] == ["accept: text/plain"]
    assert [line for line in lines if line.startswith("content-length:")] == ["content-length: 17"]


async def test_a_name_and_a_password_in_the_address_go_as_a_header(poster: Poster) -> None:
    async with serving(HELLO) as server:
        await answered(poster, server.url(user="me:word@"))
    assert b"\r\nauthorization: Basic bWU6d29yZA==\r\n" in server.requests[0][0]


async def test_one_connection_serves_one_request_after_another(poster: Poster) -> None:
    async with serving(HELLO) as server:
        for _ in range(3):
            await answered(poster, server.url())
        assert (len(server.requests), server.connections) == (3, 1)


async def test_another_address_is_posted_to_at_its_own_host(poster: Poster) -> None:
    async with serving(HELLO) as one, serving(HELLO) as other:
        await answered(poster, one.url())
        await answered(poster, other.url())
        assert (len(one.requests), len(other.requests)) == (1, 1)


async def test_content_that_is_left_unread_closes_its_connection(poster: Poster) -> None:
    unended = HELLO.replace(b"length: 5", b"length: 500")
    async with serving(unended) as server:
        for _ in range(2):
            async with poster.post(server.url(), {}, CONTENT, 5) as response:
                assert response.status == 200
        assert server.connections == 2


async def test_compressed_content_is_read_as_it_was(poster: Poster) -> None:
    packed = gzip.compress(b"hello")
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    async with serving(head.encode() + packed) as server:
        assert await answered(poster, server.url()) == (200, "application/octet-stream", b"hello")


async def test_a_word_in_between_is_no_response(poster: Poster) -> None:
    async with serving(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + HELLO) as server:
        assert (await answered(poster, server.url()))[0] == 200


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b"])
async def test_a_header_that_would_begin_another_line_is_not_sent(
    poster: Poster, value: str
) -> None:
    async with serving(HELLO) as server:
        with pytest.raises(ValueError, match="line break"):
            await answered(poster, server.url(), authorization=value)
        assert not server.requests


async def test_a_connection_that_ends_without_a_response_is_said_to(poster: Poster) -> None:
    async with serving(b"") as server:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await answered(poster, server.url())


async def test_what_is_no_http_is_said_to_be_none(poster: Poster) -> None:
    async with serving(b"no such thing\r\n\r\n") as server:
        with pytest.raises(HttpProcessingError):
            await answered(poster, server.url())


async def test_a_request_that_is_given_up_closes_its_connection(poster: Poster) -> None:
    async with serving(b"HTTP/1.1 103 Early Hints\r\n\r\n") as server:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answered(poster, server.url()), 0.05)
        server.answer = HELLO
        assert (await answered(poster, server.url()))[0] == 200
        assert server.connections == 2
