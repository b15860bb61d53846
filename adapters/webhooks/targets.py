"""Which URLs may be registered as webhook targets."""

import asyncio
import socket
import time
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver

from adapters.webhooks.addresses import is_public
from domain.errors import InvalidRequest

MAX_URL_LENGTH = 2048
# How long a host counts as checked; each connection checks its own address in any case.
REMEMBERED_SECONDS = 60
MAX_REMEMBERED = 10_000
# A registration or submission waits no longer for a name.
RESOLVE_SECONDS = 1.0


class PublicTargets:
    """Implements `domain.ports.webhook_sender.TargetPolicy`.

    A host that does not resolve just now, or not in time, is let through: losing DNS must not
    stop submissions, and the connection decides. `allow_private` is for development.
    """

    def __init__(
        self,
        resolver: AbstractResolver,
        *,
        allow_private: bool = False,
        timeout: float = RESOLVE_SECONDS,
    ) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._timeout = timeout
        self._checked_until: dict[str, float] = {}

    async def check(self, url: str) -> None:
        host = _host(url, allow_http=self._allow_private)
        if self._allow_private or self._checked_until.get(host, 0) > time.monotonic():
            return
        for address in await self._addresses(host):
            if not _is_public(address):
                raise _refused("its host is, or resolves to, an address that is not public")
        self._remember(host)

    async def _addresses(self, host: str) -> list[str]:
        if ":" in host or host.rpartition(".")[2].isdigit():
            return [host]
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._resolver.resolve(host, 443, socket.AF_UNSPEC)
        except (OSError, UnicodeError):  # UnicodeError: a label that no name can have
            return []
        return [result["host"] for result in found]

    def _remember(self, host: str) -> None:
        if len(self._checked_until) >= MAX_REMEMBERED:
            self._checked_until.clear()
        self._checked_until[host] = time.monotonic() + REMEMBERED_SECONDS


def _host(url: str, *, allow_http: bool) -> str:
    parts = _split(url)
    schemes = ("https", "http") if allow_http else ("https",)
    if parts.scheme not in schemes:
        raise _refused(f"its scheme must be {' or '.join(schemes)}")
    if parts.username is not None or parts.password is not None:
        raise _refused("it must not hold a user name or password")
    if not parts.hostname:
        raise _refused("it has no host")
    return parts.hostname


def _is_public(address: str) -> bool:
    try:
        return is_public(address)
    except ValueError:  # a short or octal form, which only hides what it stands for
        return False


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL_LENGTH:
        raise _refused(f"it is longer than {MAX_URL_LENGTH} characters")
    if not url.isprintable() or " " in url:
        raise _refused("it holds spaces or control characters")
    try:
        parts = urlsplit(url)
        _ = parts.port  # read, because a port out of range only shows when asked for
    except ValueError as error:
        raise _refused("it is no valid URL") from error
    return parts


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"this webhook URL is refused: {why}", code="webhook_target_refused", param="url"
    )
