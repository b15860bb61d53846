"""The one HTTP client session that every provider of a process shares."""

import aiohttp

from adapters.providers.patience import Watch


class HttpSession:
    """Opens the session at its first use within the running loop; `close` ends it.

    Connections are bounded by who calls, not here: waiting for a free one would count against
    the connect timeout. Cookies, proxies and redirects are off; a call goes where it is sent.
    """

    def __init__(self) -> None:
        self.watch = Watch()
        self._session: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        """The session; to be used in one event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return self._session

    def connector(self) -> aiohttp.BaseConnector:
        """The connections of the session."""
        connector = self.get().connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        return connector

    async def close(self) -> None:
        """Closes every connection; the next use opens a new session."""
        self.watch.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
