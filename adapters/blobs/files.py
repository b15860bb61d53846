"""Blobs as files of the data directory."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from adapters.blobs.places import place_of
from adapters.system.files import make_private_folder, write_whole
from domain.errors import StoreUnavailable
from domain.ports.blobs import BlobMissing

T = TypeVar("T")
Durability = Literal["disk", "process"]


class FileBlobs:
    """One file a blob, under a folder named by the last two digits of its id.

    With durability "disk" a blob that was put survives a power cut, with "process" the end of
    the process. Files are readable by their owner alone.
    """

    def __init__(self, folder: Path, durability: Durability = "disk") -> None:
        self._folder = folder
        self._synced = durability == "disk"
        make_private_folder(folder, synced=self._synced)

    async def put(self, blob_id: str, content: bytes) -> None:
        await _in_thread(partial(self._write, self._path(blob_id), content), blob_id)

    async def get(self, blob_id: str) -> bytes:
        return await _in_thread(self._path(blob_id).read_bytes, blob_id)

    async def delete(self, blob_id: str) -> None:
        await _in_thread(partial(self._path(blob_id).unlink, missing_ok=True), blob_id)

    def _path(self, blob_id: str) -> Path:
        return self._folder / place_of(blob_id)

    def _write(self, path: Path, content: bytes) -> None:
        make_private_folder(path.parent, synced=self._synced)
        write_whole(path, content, synced=self._synced)


async def _in_thread(work: Callable[[], T], blob_id: str) -> T:
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError as error:
        raise BlobMissing(blob_id) from error
    except OSError as error:
        raise StoreUnavailable(f"{blob_id}: {error}") from error
