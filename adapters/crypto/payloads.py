"""Payloads sealed with AES-GCM under the account's data key, inline or in the blob store.

Nonces are random: one data key is good for 2³² payloads, by the bound of NIST SP 800-38D.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography.exceptions import InvalidTag

from adapters.crypto.data_keys import DataKey, DataKeys
from adapters.system.randomness import RandomPool
from domain.errors import StoreUnavailable
from domain.ids import Kind
from domain.ports.blobs import BlobMissing, BlobStore
from domain.ports.clock import Ids
from domain.sealed import Sealed

INLINE_BYTES = 8 * 1024
# Above this the cipher itself takes longer than a hop to a thread.
HOP_BYTES = 256 * 1024
NONCE_BYTES = 12
# How long a key in memory is used before its process asks whether one was destroyed elsewhere.
TRUSTED_SECONDS = 5.0

_random = RandomPool()


class SealedPayloads:
    """Implements `domain.ports.payloads.Payloads`.

    A small payload of an account whose key is known costs no thread and no I/O. The last
    `remembered` accounts' keys stay in memory, unwrapped. A key that another process destroyed is
    used for at most `trusted_seconds` more; what is sealed in that time is lost with it, so an
    account takes no more work before its key is destroyed.
    """

    def __init__(
        self,
        keys: DataKeys,
        blobs: BlobStore,
        ids: Ids,
        *,
        remembered: int = 10_000,
        trusted_seconds: float = TRUSTED_SECONDS,
    ) -> None:
        self._keys, self._blobs, self._ids = keys, blobs, ids
        self._remembered, self._trusted_seconds = remembered, trusted_seconds
        self._known: OrderedDict[str, DataKey] = OrderedDict()
        self._loading = asyncio.Lock()
        self._destroyed = 0
        self._trusted_until = self._failed_at = float("-inf")

    async def seal(self, account_id: str, context: str, plain: bytes) -> Sealed:
        key = self._trusted(account_id) or await self._current(account_id)
        if len(plain) <= INLINE_BYTES:
            inline = _encrypt(key, context, plain)
            return Sealed(key.key_id, context, len(plain), inline=inline)
        blob_id = self._ids.new(Kind.BLOB)
        if len(plain) <= HOP_BYTES:
            content = _encrypt(key, context, plain)
        else:
            content = await asyncio.to_thread(_encrypt, key, context, plain)
        await self._blobs.put(blob_id, content)
        return Sealed(key.key_id, context, len(plain), blob_id=blob_id)

    async def discard(self, sealed: Sealed | None) -> None:
        if sealed is not None and sealed.blob_id is not None:
            await self._blobs.delete(sealed.blob_id)

    async def open(self, account_id: str, sealed: Sealed) -> bytes:
        key = self._trusted(account_id)
        if key is None or key.key_id != sealed.key_id:
            key = await self._find(account_id, sealed.key_id)
        content = await self._content(sealed)
        if len(content) <= HOP_BYTES:
            return _decrypt(key, sealed, content)
        return await asyncio.to_thread(_decrypt, key, sealed, content)

    async def fingerprint(self, account_id: str, content: bytes) -> str:
        """HMAC-SHA256 in 64 hexadecimal digits, cut to 32; nothing links it across accounts."""
        key = self._trusted(account_id) or await self._current(account_id)
        if len(content) <= HOP_BYTES:
            return _fingerprint(key, content)
        return await asyncio.to_thread(_fingerprint, key, content)

    async def destroy(self, account_id: str) -> None:
        """Destroys the account's data key: what was sealed for it can never be opened again."""
        async with self._loading:
            await asyncio.to_thread(self._keys.destroy, account_id)
            self._known.pop(account_id, None)

    def _trusted(self, account_id: str) -> DataKey | None:
        if time.monotonic() > self._trusted_until or account_id not in self._known:
            return None
        self._known.move_to_end(account_id)
        return self._known[account_id]

    async def _current(self, account_id: str) -> DataKey:
        async with self._asking():
            key = self._known.get(account_id)
            return key or self._remember(await asyncio.to_thread(self._keys.current, account_id))

    async def _find(self, account_id: str, key_id: str) -> DataKey:
        async with self._asking():
            key = self._known.get(account_id)
            if key is not None and key.key_id == key_id:
                return key
            return self._remember(await asyncio.to_thread(self._keys.find, account_id, key_id))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """One at a time, so that a destroyed key is never put back.

        A failure answers everybody who waited for it: nobody waits for several in a row.
        """
        asked_at = time.monotonic()
        async with self._loading:
            if self._failed_at > asked_at:
                raise StoreUnavailable("the data keys are away")
            try:
                await self._confirm()
                yield
            except StoreUnavailable:
                self._failed_at = time.monotonic()
                raise

    async def _confirm(self) -> None:
        """Forgets every key when one was destroyed: that is rare, and asking for each is not."""
        now = time.monotonic()
        if now <= self._trusted_until:
            return
        destroyed = await asyncio.to_thread(self._keys.count_destroyed)
        if destroyed != self._destroyed:
            self._known.clear()
        self._destroyed, self._trusted_until = destroyed, now + self._trusted_seconds

    def _remember(self, key: DataKey) -> DataKey:
        self._known[key.account_id] = key
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return key

    async def _content(self, sealed: Sealed) -> bytes:
        if sealed.inline is not None:
            return sealed.inline
        if sealed.blob_id is None:
            raise ValueError("a sealed payload has neither bytes nor a blob")
        try:
            return await self._blobs.get(sealed.blob_id)
        except BlobMissing as error:
            raise ValueError(f"{sealed.blob_id} is missing") from error


def _encrypt(key: DataKey, context: str, plain: bytes) -> bytes:
    nonce = _random.take(NONCE_BYTES)
    return nonce + key.cipher.encrypt(nonce, plain, _bound(key, context))


def _decrypt(key: DataKey, sealed: Sealed, content: bytes) -> bytes:
    bound = _bound(key, sealed.context)
    try:
        plain = key.cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError) as error:  # a nonce cut short is a ValueError
        raise ValueError(f"payload {sealed.context} was altered") from error
    if len(plain) != sealed.size:
        raise ValueError(f"payload {sealed.context} was altered")
    return plain


def _bound(key: DataKey, context: str) -> bytes:
    """What the ciphertext is bound to; the context is last, so that no two bindings are equal."""
    return f"{key.account_id}|{key.key_id}|{context}".encode()


def _fingerprint(key: DataKey, content: bytes) -> str:
    mac = key.mac.copy()
    mac.update(content)
    return mac.hexdigest()[:32]
