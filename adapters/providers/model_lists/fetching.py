"""Fetching a provider's list over HTTP, page by page, within bounds of time and size."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import aiohttp

from adapters.providers.model_lists.pages import ListForm, read_page
from adapters.providers.session import HttpSession
from domain.catalog.listing import ListedOffer, ListUnavailable, ModelListing, UnreadableList
from domain.ports.provider import ProviderFailure

MAX_BYTES: Final = 64 * 2**20
MAX_PAGES: Final = 50
_CHUNK: Final = 2**18

Headers = Callable[[str], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a list is; `headers` gives those of a request to a URL."""

    url: str
    headers: Headers


class HttpModelList:
    """Implements `domain.ports.model_lists.ModelList`."""

    def __init__(
        self,
        session: HttpSession,
        place: ListPlace,
        form: ListForm,
        timeout_seconds: float,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._session, self._place, self._form = session, place, form
        self._timeout_seconds, self._max_bytes = timeout_seconds, max_bytes

    async def read(self) -> ModelListing:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return ModelListing(await self._all(), self._form.tells_prices)
        except (TimeoutError, OSError, aiohttp.ClientError, ProviderFailure) as error:
            raise ListUnavailable(repr(error)) from error

    async def _all(self) -> tuple[ListedOffer, ...]:
        offers: list[ListedOffer] = []
        url = self._place.url
        for _ in range(MAX_PAGES):
            content = await self._fetched(url)
            page = await asyncio.to_thread(read_page, content, self._form)
            offers += page.offers
            if page.after is None:
                return tuple(offers)
            url = _with_query(self._place.url, page.after)
        raise UnreadableList(f"more than {MAX_PAGES} pages")

    async def _fetched(self, url: str) -> bytes:
        headers = {"user-agent": "Gatewayz", **await self._place.headers(url)}
        async with self._session.get().get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise ListUnavailable(f"it answers with status {response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > self._max_bytes:
                    raise UnreadableList(f"more than {self._max_bytes} bytes")
        return bytes(content)


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
