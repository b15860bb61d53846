"""Who is asking: the API key of a request, and what it may do."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from api.ports import ApiPorts
from api.requests import request_id_of
from domain.access.directory import KeyEntry
from domain.access.scopes import Scope
from domain.errors import Forbidden, Unauthenticated
from domain.event import Origin

# Declared for the OpenAPI document; the reading is done in `api_key_of`.
_bearer = HTTPBearer(auto_error=False, description="Authorization: Bearer gw_…")
_header = APIKeyHeader(name="x-api-key", auto_error=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated request: its key, its account and its id."""

    key: KeyEntry
    request_id: str

    @property
    def account_id(self) -> str:
        return self.key.account_id

    def origin(self, account_id: str | None = None) -> Origin:
        """The origin of what this request causes, in its own account unless another is named."""
        return Origin(account_id or self.account_id, "key", self.key.key_id, self.request_id)


def api_key_of(request: Request) -> str:
    """The key in `Authorization: Bearer …` or `x-api-key`. Raises `Unauthenticated`."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("use `Authorization: Bearer gw_…`", code="api_key_malformed")
        return secret.strip()
    secret = request.headers.get("x-api-key", "").strip()
    if not secret:
        raise Unauthenticated("no API key was sent", code="api_key_missing")
    return secret


def authenticate(ports: ApiPorts, request: Request, *scopes: Scope) -> Caller:
    """The caller, who must hold one of `scopes`. Raises `Unauthenticated` or `Forbidden`."""
    key_hash = ports.secrets.key_hash(api_key_of(request))
    key = ports.keys.authenticate(key_hash, ports.clock.now())
    if not key.scopes.intersection(scopes):
        raise Forbidden(f"this key lacks the scope {' or '.join(map(repr, scopes))}")
    return Caller(key, request_id_of(request))


def ports_of(request: Request) -> ApiPorts:
    """The ports that the app was created with."""
    ports: ApiPorts = request.app.state.ports
    return ports


def require(*scopes: Scope) -> Any:
    """A FastAPI dependency: the caller, who must hold one of `scopes`."""

    def caller(
        request: Request,
        _bearer: Annotated[object, Depends(_bearer)] = None,
        _header: Annotated[object, Depends(_header)] = None,
    ) -> Caller:
        return authenticate(ports_of(request), request, *scopes)

    caller.scopes = scopes  # type: ignore[attr-defined]
    return Depends(caller)


Ports = Annotated[ApiPorts, Depends(ports_of)]
