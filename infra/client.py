"""A small client of a running engine, for the command line and the demo."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from domain.inference.events import TERMINAL

TERMINAL_NAMES = frozenset(event_type.event_name for event_type in TERMINAL)
# Longer than the longest long poll, and than three heartbeats of a live timeline.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=90)
RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Refused(Exception):
    """The engine refused a request; `code` and `message` are its own words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{message} ({code}, HTTP {status})")
        self.status, self.code, self.message = status, code, message


class Unreachable(Exception):
    """No engine answers at this address."""


class NoAddress(Exception):
    """The URL given cannot be that of an engine."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer with its parsed JSON body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """`async with Client(url, api_key) as client:`

    Every method raises `Refused` or `Unreachable`.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        """Raises `NoAddress`."""
        self._url = _address(url)
        self._headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request; a `body` goes as JSON, a query value of None is left out."""
        wanted = {name: str(value) for name, value in (query or {}).items() if value is not None}
        try:
            async with self._session.request(
                method, self._at(path), json=body, params=wanted, headers=headers
            ) as response:
                return await _reply(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def get(self, path: str, **query: str | int | None) -> Any:
        """The body of a GET."""
        return (await self.send("GET", path, query=query)).body

    async def post(self, path: str, body: object = None) -> Any:
        """The body of a POST's answer."""
        return (await self.send("POST", path, body=body)).body

    async def pages(self, path: str, **query: str | int | None) -> AsyncIterator[Any]:
        """Every item of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.get(path, limit=100, after=after, **query)
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            after = page["last_id"]

    async def timeline(self, job_id: str) -> AsyncIterator[Any]:
        """A job's events as they come, up to its terminal one; survives a restart of the engine.

        After a lost connection it resumes behind the last event it gave, for some seconds.
        """
        last, failures = "0", 0
        while True:
            try:
                async for entry in self._stream(job_id, last):
                    last, failures = entry["position"], 0
                    yield entry
                    if entry["type"] in TERMINAL_NAMES:
                        return
            except Unreachable:
                if failures == len(RECONNECT_SECONDS):
                    raise
            await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
            failures += 1

    async def _stream(self, job_id: str, after: str) -> AsyncIterator[Any]:
        headers = {"accept": "text/event-stream", "last-event-id": after}
        try:
            path = f"/v1/jobs/{segment(job_id)}/events"
            async with self._session.get(self._at(path), headers=headers) as response:
                if response.status != 200:
                    await _reply(response)
                async for line in response.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line[6:])
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _at(self, path: str) -> URL:
        # As it stands: a parser would resolve the dots of a segment.
        return URL(self._url + path, encoded=True)

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"no engine answers at {self._url}: {error or type(error).__name__}")


def segment(text: str) -> str:
    """`text` as one segment of a path, whatever is in it."""
    return quote(text, safe="").replace(".", "%2E")


def _address(url: str) -> str:
    try:
        parsed = URL(url)
        usable = parsed.scheme in {"http", "https"} and bool(parsed.host and parsed.port)
        usable = usable and not any(map(str.isspace, url))
    except ValueError:
        usable = False
    if not usable:
        raise NoAddress(f"{url!r} is no address of an engine, such as http://127.0.0.1:8080")
    return url.rstrip("/")


async def _reply(response: aiohttp.ClientResponse) -> Reply:
    raw = await response.read()
    try:
        body = json.loads(raw) if raw else None
    except ValueError as error:
        raise Refused(response.status, "not_json", "the answer is no JSON") from error
    if response.status < 400:
        return Reply(response.status, response.headers, body)
    refusal = body.get("error", {}) if isinstance(body, dict) else {}
    raise Refused(
        response.status,
        str(refusal.get("code", "http_error")),
        str(refusal.get("message", "the request was refused")),
    )
