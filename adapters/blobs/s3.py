"""Blobs as objects of a bucket, in any storage that speaks the protocol of Amazon S3."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from adapters.blobs.places import place_of
from domain.errors import StoreUnavailable
from domain.ports.blobs import BlobMissing

if TYPE_CHECKING:  # they exist for type checkers alone
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

CODE = re.compile(r"<Code>(\w+)</Code>")
# Refused for what was asked; a timeout (408) and a limit (429) are over in a while.
REFUSED = re.compile(r"status code: (?!408|429)4\d\d|redirect")
BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
ENDPOINT = re.compile(r"https?://[A-Za-z0-9._~:/\[\]-]+")
RIGHTS = "s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket"
METADATA_SERVICE = "169.254."  # asked last for credentials


class S3Problem(Exception):
    """The storage cannot be used as it is configured; the message holds no secret."""


@dataclass(frozen=True, slots=True)
class S3Key:
    """What requests are signed with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket, and the place in it that is ours.

    Without an endpoint it is at AWS. Without a key the sources of AWS are asked in their order:
    the environment, a web identity, the container, the machine; not the profiles of a home folder.
    """

    name: str
    endpoint: str | None = None
    region: str = "us-east-1"
    key: S3Key | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long one use of the storage may take, in seconds, and how often it is tried again."""

    connect: float = 2.0
    request: float = 10.0
    total: float = 15.0
    retries: int = 3


class S3Blobs:
    """One object a blob, put and read whole in one request.

    Storage that refuses connections is reported after the retries, in about a second; storage
    that hangs after `bounds.total` seconds. A put that raised may have stored the blob, whole.
    Open it after the last fork: the library has threads of its own.
    """

    def __init__(self, bucket: Bucket, bounds: Bounds | None = None) -> None:
        """Connects to nothing. Raises `S3Problem` when a part of `bucket` is malformed."""
        self._bucket, self._bounds = bucket, bounds or Bounds()
        self._store = _opened(bucket, self._bounds)

    async def check(self) -> None:
        """Writes, reads and deletes a small object, as every later use will.

        Raises `S3Problem` for what only the operator can mend: a bucket that is not there,
        credentials that are wrong or may do too little; `StoreUnavailable` when nothing answers.
        """
        probe = f"check/{secrets.token_hex(8)}"
        try:
            await self._put(probe, b"gatewayz")
            await self._get(probe)
            await self._delete(probe)
            await self._gone(probe)
        except StoreUnavailable as error:
            if problem := self._problem(str(error.__cause__)):
                raise S3Problem(f"the bucket {self._bucket.name}: {problem}: {error}") from error
            raise

    async def put(self, blob_id: str, content: bytes) -> None:
        await self._put(place_of(blob_id), content)

    async def get(self, blob_id: str) -> bytes:
        return await self._get(place_of(blob_id))

    async def delete(self, blob_id: str) -> None:
        await self._delete(place_of(blob_id))

    async def _put(self, place: str, content: bytes) -> None:
        async with self._bounded(place):
            # In one request: parts would need a clean-up when one of them fails.
            await obstore.put_async(self._store, place, content, use_multipart=False)

    async def _get(self, place: str) -> bytes:
        async with self._bounded(place):
            try:
                found = await obstore.get_async(self._store, place)
            except FileNotFoundError as error:
                # Any other 404, of a missing bucket or of a proxy, says nothing about the blob.
                if _code(error) == "NoSuchKey":
                    raise BlobMissing(place) from error
                raise
            return bytes(await found.bytes_async())

    async def _delete(self, place: str) -> None:
        async with self._bounded(place):
            try:
                await obstore.delete_async(self._store, place)
            except FileNotFoundError as error:
                if _code(error) != "NoSuchKey":
                    raise

    async def _gone(self, place: str) -> None:
        """Without the right to list a bucket, AWS forbids to read what is not there."""
        try:
            await self._get(place)
        except BlobMissing:
            return
        raise S3Problem(f"the bucket {self._bucket.name} gave back an object that was deleted")

    def _problem(self, failure: str) -> str | None:
        if self._bucket.key is None and METADATA_SERVICE in failure:
            return "no credentials were found"
        return f"refused, the credentials need {RIGHTS}" if REFUSED.search(failure) else None

    @asynccontextmanager
    async def _bounded(self, place: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._bounds.total):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(f"{place}: no answer in {self._bounds.total} s") from error
        except (BaseError, OSError) as error:
            raise StoreUnavailable(f"{place}: {_reason(error)}") from error


def _opened(bucket: Bucket, bounds: Bounds) -> S3Store:
    _refuse_malformed(bucket)
    client: ClientConfig = {
        "allow_http": (bucket.endpoint or "").startswith("http:"),
        "connect_timeout": timedelta(seconds=bounds.connect),
        "timeout": timedelta(seconds=bounds.request),
    }
    retry: RetryConfig = {
        "max_retries": bounds.retries,
        "retry_timeout": timedelta(seconds=bounds.total),
        "backoff": {
            "init_backoff": timedelta(milliseconds=50),
            "max_backoff": timedelta(seconds=1),
            "base": 2,
        },
    }
    # Single deletes, because not every storage has the bulk request.
    config: S3Config = {"region": bucket.region, "disable_bulk_delete": True}
    if bucket.endpoint is not None:
        # By this name, because what the environment has under it would win over the other.
        config["aws_endpoint_url_s3"] = bucket.endpoint
    if bucket.key is not None:
        config["skip_signature"] = False
    try:
        return S3Store(
            bucket.name,
            prefix=bucket.prefix.strip("/") or None,
            config=config,
            client_options=client,
            retry_config=retry,
            credential_provider=None if bucket.key is None else _giving(bucket.key),
        )
    except (BaseError, ValueError) as error:
        raise S3Problem(f"the bucket {bucket.name}: {_reason(error)}") from error


def _giving(key: S3Key) -> "Callable[[], S3Credential]":
    """Our key alone: an AWS_SESSION_TOKEN that happens to be set would spoil the signature."""

    def give() -> "S3Credential":
        return {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "token": None,
            "expires_at": None,
        }

    return give


def _refuse_malformed(bucket: Bucket) -> None:
    """The library would panic at them. They are not shown: an endpoint may hold a password."""
    if not BUCKET_NAME.fullmatch(bucket.name):
        raise S3Problem("the name of the bucket has characters that no bucket has")
    if bucket.endpoint is not None and not _is_endpoint(bucket.endpoint):
        raise S3Problem("the endpoint is no plain URL of http or https")


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(ENDPOINT.fullmatch(text) and parts.hostname and parts.port != 0)
    except ValueError:
        return False


def _code(error: Exception) -> str | None:
    found = CODE.search(str(error))
    return found and found[1]


def _reason(error: Exception) -> str:
    """The storage's own code when it gave one, and the first line of what the library says."""
    line = str(error).partition("\n")[0].partition(": <")[0][:300]
    return f"{code}: {line}" if (code := _code(error)) else line
