"""Who is asking: the API key of a request, and what it may do."""

from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from api.errors import failure_response
from api.ports import ApiPorts
from api.requests import REQUEST_ID
from domain.access.directory import KeyEntry
from domain.access.scopes import Scope
from domain.errors import Forbidden, StoreUnavailable, Unauthenticated
from domain.event import Origin

# What anybody may ask for. Every other path, known or not, needs a key.
PUBLIC = frozenset(
    {
        *("/health", "/ready", "/metrics", "/openapi.json", "/asyncapi.json", "/docs"),
        "/v1/status",
    }
)
PUBLIC_BELOW = "/v1/status/"
CALLER = "gatewayz.caller"
PORTS = "gatewayz.ports"

# Declared for the OpenAPI document; the reading is done in `api_key_of`.
_bearer = HTTPBearer(auto_error=False, description="Authorization: Bearer gw_…")
_header = APIKeyHeader(name="x-api-key", auto_error=False)


class Caller(msgspec.Struct, frozen=True):
    """An authenticated request: its key, the hash of the secret that came, and its id."""

    key: KeyEntry
    key_hash: str
    request_id: str

    @property
    def account_id(self) -> str:
        return self.key.account_id

    def origin(self, account_id: str | None = None) -> Origin:
        """The origin of what this request causes, in its own account unless another is named."""
        return Origin(account_id or self.account_id, "key", self.key.key_id, self.request_id)


def is_public(path: str) -> bool:
    """Whether anybody may ask for this path."""
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


def api_key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key in `Authorization: Bearer …` or `x-api-key`. Raises `Unauthenticated`."""
    secret = b""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() != b"bearer" or not token.strip():
                raise Unauthenticated("use `Authorization: Bearer gw_…`", code="api_key_malformed")
            return token.strip().decode("latin-1")
        if name == b"x-api-key":
            secret = secret or value.strip()
    if not secret:
        raise Unauthenticated("no API key was sent", code="api_key_missing")
    return secret.decode("latin-1")


class Authenticated:
    """Lets in who has a key, by the headers alone: no byte of a stranger's body is read."""

    def __init__(self, app: ASGIApp, ports: ApiPorts) -> None:
        self._app = app
        self._ports = ports

    def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> Awaitable[None]:
        scope[PORTS] = self._ports
        if scope["type"] == "http" and not is_public(scope["path"]):
            try:
                key_hash = self._ports.secrets.key_hash(api_key_of(scope["headers"]))
                if not self._ports.keys.knows(key_hash):
                    return self._look_again(key_hash, scope, receive, send)
                self._let_in(key_hash, scope)
            except Unauthenticated as error:
                return failure_response(Request(scope), error)(scope, receive, send)
        return self._app(scope, receive, send)

    def _let_in(self, key_hash: str, scope: ASGIScope) -> None:
        key = self._ports.keys.authenticate(key_hash, self._ports.clock.now())
        scope[CALLER] = Caller(key, key_hash, scope[REQUEST_ID])

    async def _look_again(
        self, key_hash: str, scope: ASGIScope, receive: Receive, send: Send
    ) -> None:
        """Another node may have made the key a moment ago."""
        with suppress(StoreUnavailable):
            await self._ports.abreast()
        try:
            self._let_in(key_hash, scope)
        except Unauthenticated as error:
            await failure_response(Request(scope), error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def authenticate(request: Request, *scopes: Scope) -> Caller:
    """The caller, who must hold one of `scopes`. Raises `Forbidden`."""
    caller: Caller = request.scope[CALLER]
    if caller.key.scopes.isdisjoint(scopes):
        raise Forbidden(f"this key lacks the scope {' or '.join(map(repr, scopes))}")
    return caller


def require_still_valid(ports: ApiPorts, caller: Caller) -> None:
    """Raises `Unauthenticated` once the caller's secret has stopped opening its key."""
    ports.keys.authenticate(caller.key_hash, ports.clock.now())


def ports_of(request: Request) -> ApiPorts:
    """The ports that the app was created with."""
    ports: ApiPorts = request.scope[PORTS]
    return ports


async def be_abreast(request: Request) -> None:
    """A FastAPI dependency: this node knows what any node recorded before the request."""
    await ports_of(request).abreast()


def require(*scopes: Scope) -> Any:
    """A FastAPI dependency: the caller, who must hold one of `scopes`."""

    def caller(
        request: Request,
        _bearer: Annotated[object, Depends(_bearer)] = None,
        _header: Annotated[object, Depends(_header)] = None,
    ) -> Caller:
        return authenticate(request, *scopes)

    caller.scopes = scopes  # type: ignore[attr-defined]
    return Depends(caller)


Ports = Annotated[ApiPorts, Depends(ports_of)]
Abreast = Depends(be_abreast)
