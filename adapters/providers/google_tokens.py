"""Access tokens of Google Cloud, out of a service account or of what the machine is given.

google-auth does the work. It blocks, so it runs in a thread.
"""

import asyncio
import json
import time
from base64 import b64decode
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.ports.provider import FailureKind, ProviderFailure

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS = 10.0
_RETRY_SECONDS = 15.0
MISSING = "google-auth is not installed: pip install 'gatewayz[vertex]'"


class GoogleTokens:
    """One identity; to be used in one event loop.

    `credentials` is the JSON of a service account (or of another credential that google-auth
    reads), also in base64, or the path of its file; None means Application Default Credentials.
    A token is renewed some minutes before it ends; should that fail, it is tried again no sooner
    than after `retry_seconds` while the old one holds.
    """

    def __init__(self, credentials: str | None, *, retry_seconds: float = _RETRY_SECONDS) -> None:
        """Raises `ValueError` when the credentials make no sense, and when google-auth is not
        installed.
        """
        self._info = None if credentials is None else _info(credentials)
        self._loaded: Credentials | None = None
        self._renewal = asyncio.Lock()
        self._retry_seconds = retry_seconds
        self._may_renew_at = 0.0
        _check_installed()

    @property
    def project(self) -> str | None:
        """The project that the credentials name."""
        project = (self._info or {}).get("project_id")
        return project if isinstance(project, str) else None

    async def token(self) -> str:
        """A token that holds for now. Raises `ProviderFailure` when there is none."""
        if not self._is_fresh() and not (self._holds() and self._renewal.locked()):
            async with self._renewal:
                if not self._is_fresh():
                    await self._renew()
        if self._loaded is None or not self._loaded.token:
            raise ProviderFailure("auth", "Google gave no access token")
        return str(self._loaded.token)

    def _is_fresh(self) -> bool:
        return self._loaded is not None and self._loaded.token_state.name == "FRESH"

    def _holds(self) -> bool:
        return self._loaded is not None and self._loaded.token_state.name != "INVALID"

    async def _renew(self) -> None:
        """Gets the next token; while the old one holds, that it cannot be had is no failure."""
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        if self._holds() and time.monotonic() < self._may_renew_at:
            return
        self._may_renew_at = time.monotonic() + self._retry_seconds
        try:
            self._loaded = await asyncio.to_thread(_renewed, self._loaded, self._info)
        except (GoogleAuthError, ValueError, OSError) as error:
            if not self._holds():
                raise ProviderFailure(_kind(error), "Google gave no access token") from error


def _kind(error: Exception) -> FailureKind:
    """Whether the credentials are at fault, or whoever gives the tokens is away."""
    from google.auth.exceptions import TransportError  # noqa: PLC0415

    if isinstance(error, TransportError):
        return "connect"
    return "overloaded" if getattr(error, "retryable", False) else "auth"


def _renewed(loaded: "Credentials | None", info: Mapping[str, Any] | None) -> "Credentials":
    from google.auth.transport.requests import Request  # noqa: PLC0415

    request = Request()
    try:
        credentials: Any = loaded or _credentials(info, request)
        credentials.refresh(partial(request, timeout=_TIMEOUT_SECONDS))
        renewed: Credentials = credentials
    finally:
        request.session.close()
    return renewed


def _credentials(info: Mapping[str, Any] | None, request: Any) -> Any:
    import google.auth as library  # noqa: PLC0415
    from google.oauth2.service_account import Credentials as ServiceAccount  # noqa: PLC0415

    # google-auth's types leave these functions out.
    google: Any = library
    account: Any = ServiceAccount
    if info is None:
        return google.default(scopes=[_SCOPE], request=request)[0]
    if info["type"] == "service_account":
        return account.from_service_account_info(info, scopes=[_SCOPE])
    return google.load_credentials_from_dict(dict(info), scopes=[_SCOPE], request=request)[0]


def _info(credentials: str) -> Mapping[str, Any]:
    text = credentials if credentials.lstrip().startswith("{") else _out_of_base64(credentials)
    if text is None:
        try:
            text = Path(credentials).read_text("utf-8")
        except OSError as error:
            raise ValueError("the file of Google's credentials cannot be read") from error
    try:
        info = json.loads(text)
    except ValueError:
        raise ValueError("Google's credentials are no JSON") from None
    if not isinstance(info, dict) or "type" not in info:
        raise ValueError("Google's credentials have no type")
    return info


def _out_of_base64(text: str) -> str | None:
    """The JSON that `text` holds in base64, if it does."""
    try:
        decoded = b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        return None
    return decoded if decoded.lstrip().startswith("{") else None


def _check_installed() -> None:
    try:
        import google.auth.transport.requests  # noqa: F401, PLC0415
    except ImportError as error:
        raise ValueError(MISSING) from error
