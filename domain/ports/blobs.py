"""The blob store: encrypted payloads that are too large for an event."""

from typing import Protocol


class BlobMissing(Exception):
    """No blob has this id."""


class BlobStore(Protocol):
    """Laws, held by `tests/contract/test_blobs.py`:

    1. `get` returns the bytes that `put` was given, whole, or raises `BlobMissing`.
    2. When `put` has returned, the blob survives whatever the durability setting promises; when
       it has raised, or the process died, no reader sees a part of it.
    3. Putting an id again replaces the blob; deleting a missing one changes nothing.
    4. An id that is no blob id raises `ValueError` and touches nothing.
    5. When the store cannot be written or read, `StoreUnavailable` is raised.
    """

    async def put(self, blob_id: str, content: bytes) -> None: ...

    async def get(self, blob_id: str) -> bytes: ...

    async def delete(self, blob_id: str) -> None: ...
