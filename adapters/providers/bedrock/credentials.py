"""Who we are to AWS, and the signatures that prove it.

botocore signs; it is the optional extra `bedrock` and is imported at the first use.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.ports.provider import ProviderFailure

if TYPE_CHECKING:
    from botocore.credentials import Credentials as AwsCredentials

_SERVICE = "bedrock"
# Nobody is asked again sooner than this for credentials that are not there, in seconds.
_RETRY_AFTER = 30.0


class BotocoreMissing(Exception):
    """Bedrock is configured, and what signs its requests and reads its streams is not installed."""

    def __init__(self) -> None:
        super().__init__("botocore is not installed: pip install 'gatewayz[bedrock]'")


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A Bedrock API key."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key of an AWS user, or of a role with its `session_token`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DefaultChain:
    """Whatever botocore finds: files, roles, containers, the machine's own identity."""

    profile: str | None = None


Credentials = BearerToken | AccessKey | DefaultChain


def require_botocore() -> None:
    """Raises `BotocoreMissing`."""
    try:
        import botocore  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise BotocoreMissing from error


class Signer:
    """Signs requests to one region; many at once are fine."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self._region = region
        self._found: AwsCredentials | None = None
        self._looking = asyncio.Lock()
        self._absent_until = 0.0

    async def signed(
        self, url: str, headers: Mapping[str, str], content: bytes, method: str = "POST"
    ) -> dict[str, str]:
        """`headers` with the proof, which holds for `url` as it stands: it must go out unchanged.

        Raises `ProviderFailure` ("auth") when there are no credentials.
        """
        if isinstance(self._credentials, BearerToken):
            return {**headers, "authorization": f"Bearer {self._credentials.token}"}
        from botocore.auth import SigV4Auth  # noqa: PLC0415  an optional library
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        request = AWSRequest(method=method, url=url, data=content, headers=dict(headers))
        key = await self._key(self._credentials)
        SigV4Auth(key, _SERVICE, self._region).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    async def _key(self, credentials: AccessKey | DefaultChain) -> Any:
        """The key of this moment, renewed when it is about to expire."""
        if self._found is None:
            self._found = await self._find(credentials)
        if getattr(self._found, "refresh_needed", bool)():
            return await _off_loop(self._found.get_frozen_credentials)
        return self._found.get_frozen_credentials()

    async def _find(self, credentials: AccessKey | DefaultChain) -> "AwsCredentials":
        if isinstance(credentials, AccessKey):
            return _static(credentials)
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._found is None and now >= self._absent_until:
                self._absent_until = now + _RETRY_AFTER
                self._found = await _off_loop(partial(_from_chain, credentials.profile))
            if self._found is None:
                raise _no_credentials()
            return self._found


def _static(key: AccessKey) -> "AwsCredentials":
    from botocore.credentials import Credentials as Static  # noqa: PLC0415

    return Static(key.access_key_id, key.secret_access_key, key.session_token)


def _from_chain(profile: str | None) -> "AwsCredentials | None":
    from botocore.session import Session  # noqa: PLC0415

    found: AwsCredentials | None = Session(profile=profile).get_credentials()
    return found


async def _off_loop(look: Callable[[], Any]) -> Any:
    """What `look` gives: it reads files and asks the network, so it runs in a thread."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return await asyncio.to_thread(look)
    except (BotoCoreError, ClientError) as error:
        raise _no_credentials() from error


def _no_credentials() -> ProviderFailure:
    return ProviderFailure("auth", "there are no credentials for AWS")
