"""Access tokens of Microsoft Entra for an application, and a wire that carries them."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import aiohttp
import msgspec

from adapters.providers.failures import UNREADABLE, kind_of_status
from adapters.providers.http import HttpRequest, Wire
from adapters.providers.replies import Reading
from domain.ports.provider import ProviderCall, ProviderFailure

AUTHORITY: Final = "https://login.microsoftonline.com"
SCOPE: Final = "https://cognitiveservices.azure.com/.default"
_TIMEOUT_SECONDS: Final = 10.0
# A token is renewed this long before it ends.
_EARLY_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Application:
    """An application that is registered with a tenant, and its secret."""

    tenant_id: str
    client_id: str
    secret: str = field(repr=False)
    authority: str = AUTHORITY


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float


class EntraTokens:
    """Of one application; to be used in one event loop."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._token = ""
        self._renew_at = 0.0
        self._renewal = asyncio.Lock()

    async def token(self) -> str:
        """A token that holds for now. Raises `ProviderFailure` when there is none."""
        if time.monotonic() >= self._renew_at:
            async with self._renewal:
                if time.monotonic() >= self._renew_at:
                    await self._renew()
        return self._token

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        granted = await _granted(self._application)
        self._token = granted.access_token
        # Half of a short life is enough to be early.
        early = min(_EARLY_SECONDS, granted.expires_in / 2)
        self._renew_at = asked_at + granted.expires_in - early


class TokenWire:
    """See `adapters.providers.http.Wire`: another wire, with a token as its credential."""

    def __init__(self, wire: Wire, tokens: EntraTokens) -> None:
        self._wire = wire
        self._tokens = tokens

    async def request(self, call: ProviderCall) -> HttpRequest:
        request = await self._wire.request(call)
        token = await self._tokens.token()
        return replace(request, headers={**request.headers, "authorization": f"Bearer {token}"})

    def reading(self, call: ProviderCall, content_type: str) -> Reading:
        return self._wire.reading(call, content_type)

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> ProviderFailure:
        return self._wire.refusal(status, headers, content)


async def _granted(application: Application) -> _Granted:
    url = f"{application.authority.rstrip('/')}/{application.tenant_id}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": application.secret,
        "scope": SCOPE,
    }
    try:
        status, content = await _posted(url, form)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ProviderFailure("connect", "Microsoft Entra could not be reached") from error
    if status != 200:
        # 400 is how a wrong secret or tenant is told.
        kind = "auth" if 400 <= status < 429 else kind_of_status(status)
        raise ProviderFailure(kind, "Microsoft Entra gave no access token", status_code=status)
    try:
        return msgspec.json.decode(content, type=_Granted)
    except UNREADABLE as error:
        raise ProviderFailure("auth", "Microsoft Entra gave no access token") from error


async def _posted(url: str, form: Mapping[str, Any]) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    # Once an hour: a session of its own costs nothing, and is closed with the answer.
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, data=form, allow_redirects=False) as response,
    ):
        return response.status, await response.read()
