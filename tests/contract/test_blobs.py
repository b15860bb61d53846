"""The laws of `domain.ports.blobs.BlobStore`, held by the file store."""

import stat
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from domain.errors import StoreUnavailable
from domain.ports.blobs import BlobMissing

BLOB = "blob_" + "0a" * 16


@pytest.fixture(params=["disk", "process"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs", request.param)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100_000])
async def test_get_returns_what_put_was_given(blobs: FileBlobs, content: bytes) -> None:
    await blobs.put(BLOB, content)
    assert await blobs.get(BLOB) == content


async def test_putting_an_id_again_replaces_the_blob(blobs: FileBlobs) -> None:
    await blobs.put(BLOB, b"first")
    await blobs.put(BLOB, b"second")
    assert await blobs.get(BLOB) == b"second"


async def test_a_missing_blob_raises_blob_missing(blobs: FileBlobs) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(BLOB)


async def test_a_deleted_blob_is_missing_and_deleting_it_again_changes_nothing(
    blobs: FileBlobs,
) -> None:
    await blobs.put(BLOB, b"content")
    await blobs.delete(BLOB)
    await blobs.delete(BLOB)
    with pytest.raises(BlobMissing):
        await blobs.get(BLOB)


async def test_deleting_a_blob_that_never_was_changes_nothing(blobs: FileBlobs) -> None:
    await blobs.delete(BLOB)


@pytest.mark.parametrize("blob_id", ["", "../../etc/passwd", "blob_" + "/" * 32, "job_" + "0" * 32])
async def test_an_id_that_is_no_blob_id_touches_nothing(blobs: FileBlobs, blob_id: str) -> None:
    with pytest.raises(ValueError, match="no blob id"):
        await blobs.put(blob_id, b"x")
    with pytest.raises(ValueError, match="no blob id"):
        await blobs.get(blob_id)


async def test_files_and_folders_are_closed_to_everybody_else(
    blobs: FileBlobs, tmp_path: Path
) -> None:
    await blobs.put(BLOB, b"content")
    open_to_others = [
        path
        for path in (tmp_path / "blobs").rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


async def test_no_draft_stays_behind(blobs: FileBlobs, tmp_path: Path) -> None:
    await blobs.put(BLOB, b"content")
    files = [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert files == [BLOB]


async def test_a_store_that_cannot_be_written_says_so(blobs: FileBlobs, tmp_path: Path) -> None:
    (tmp_path / "blobs" / BLOB[-2:]).write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        await blobs.put(BLOB, b"content")
