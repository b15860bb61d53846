"""The laws of `domain.ports.blobs.BlobStore`, held by the files and by S3-compatible storage."""

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.blobs.files import FileBlobs
from adapters.blobs.s3 import Bounds, Bucket, S3Blobs, S3Key, S3Problem
from domain.errors import StoreUnavailable
from domain.ports.blobs import BlobMissing, BlobStore
from tests.support.helpers import in_seconds
from tests.support.s3_server import S3Server

BLOB = "blob_" + "0a" * 16
KEY = S3Key("an-access-key-id", "a-planted-secret")
BRIEF = Bounds(connect=0.5, request=1.0, total=1.5, retries=2)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def server() -> Iterator[S3Server]:
    """A server that the test may break."""
    with S3Server() as server:
        yield server


@pytest.fixture(params=["files on disk", "files of the process", "S3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "S3":
        server: S3Server = request.getfixturevalue("shared_server")
        return s3(server, prefix=tmp_path.name)
    return FileBlobs(tmp_path / "blobs", "disk" if "disk" in request.param else "process")


@pytest.fixture
def files(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs", "disk")


def s3(server: S3Server, *, prefix: str = "", bucket: str | None = None) -> S3Blobs:
    return S3Blobs(Bucket(bucket or server.bucket, server.endpoint, key=KEY, prefix=prefix), BRIEF)


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100_000, bytes(range(256)) * 40_000])
async def test_get_returns_what_put_was_given(blobs: BlobStore, content: bytes) -> None:
    await blobs.put(BLOB, content)
    assert await blobs.get(BLOB) == content


async def test_putting_an_id_again_replaces_the_blob(blobs: BlobStore) -> None:
    await blobs.put(BLOB, b"first")
    await blobs.put(BLOB, b"second")
    assert await blobs.get(BLOB) == b"second"


async def test_a_missing_blob_raises_blob_missing(blobs: BlobStore) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(BLOB)


async def test_a_deleted_blob_is_missing_and_deleting_it_again_changes_nothing(
    blobs: BlobStore,
) -> None:
    await blobs.put(BLOB, b"content")
    await blobs.delete(BLOB)
    await blobs.delete(BLOB)
    with pytest.raises(BlobMissing):
        await blobs.get(BLOB)


async def test_deleting_a_blob_that_never_was_changes_nothing(blobs: BlobStore) -> None:
    await blobs.delete(BLOB)


async def test_readers_beside_a_writer_see_one_blob_or_the_other_whole(blobs: BlobStore) -> None:
    old, new = b"o" * 300_000, b"n" * 300_000
    await blobs.put(BLOB, old)
    writing = asyncio.ensure_future(blobs.put(BLOB, new))
    seen = {await blobs.get(BLOB) for _ in range(10)}
    await writing
    assert seen <= {old, new}


@pytest.mark.parametrize("blob_id", ["", "../../etc/passwd", "blob_" + "/" * 32, "job_" + "0" * 32])
async def test_an_id_that_is_no_blob_id_touches_nothing(blobs: BlobStore, blob_id: str) -> None:
    with pytest.raises(ValueError, match="no blob id"):
        await blobs.put(blob_id, b"x")
    with pytest.raises(ValueError, match="no blob id"):
        await blobs.get(blob_id)
    with pytest.raises(ValueError, match="no blob id"):
        await blobs.delete(blob_id)


async def test_files_and_folders_are_closed_to_everybody_else(
    files: FileBlobs, tmp_path: Path
) -> None:
    await files.put(BLOB, b"content")
    open_to_others = [
        path
        for path in (tmp_path / "blobs").rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []


async def test_no_draft_stays_behind(files: FileBlobs, tmp_path: Path) -> None:
    await files.put(BLOB, b"content")
    names = [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert names == [BLOB]


async def test_a_folder_that_cannot_be_written_says_so(files: FileBlobs, tmp_path: Path) -> None:
    (tmp_path / "blobs" / BLOB[-2:]).write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        await files.put(BLOB, b"content")


async def test_the_prefix_stands_before_the_place_that_a_file_would_have(
    shared_server: S3Server,
) -> None:
    await s3(shared_server, prefix="/one/installation/").put(BLOB, b"content")
    assert f"<Key>one/installation/0a/{BLOB}</Key>" in shared_server.names()


async def test_what_is_configured_wins_over_the_environment(
    shared_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_BUCKET", "never-made")
    await s3(shared_server).check()


@pytest.mark.parametrize("ending", ["stopped", "hung"])
async def test_storage_that_is_away_is_reported_within_seconds(
    server: S3Server, ending: str
) -> None:
    blobs = s3(server)
    await blobs.put(BLOB, b"content")
    if ending == "hung":
        server.freeze()
    else:
        server.kill()
    uses = (blobs.put(BLOB, b"content"), blobs.get(BLOB), blobs.delete(BLOB), blobs.check())
    using = asyncio.gather(*uses, return_exceptions=True)
    assert await in_seconds(using) < 3
    assert [type(outcome) for outcome in await using] == [StoreUnavailable] * 4


async def test_storage_that_comes_back_is_used_again(server: S3Server) -> None:
    blobs = s3(server)
    await blobs.put(BLOB, b"content")
    server.freeze()
    with pytest.raises(StoreUnavailable):
        await blobs.get(BLOB)
    server.thaw()
    assert await blobs.get(BLOB) == b"content"


async def test_a_bucket_that_vanished_is_no_missing_blob(shared_server: S3Server) -> None:
    blobs = s3(shared_server, bucket="never-made")
    for use in (blobs.get(BLOB), blobs.put(BLOB, b"content"), blobs.delete(BLOB)):
        with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
            await use


async def test_storage_that_is_ready_passes_the_check_and_keeps_nothing_of_it(
    server: S3Server,
) -> None:
    await s3(server).check()
    assert "<Key>" not in server.names()


async def test_a_bucket_that_is_not_there_fails_the_check(shared_server: S3Server) -> None:
    with pytest.raises(S3Problem, match=r"never-made.*NoSuchBucket"):
        await s3(shared_server, bucket="never-made").check()


async def test_wrong_credentials_fail_the_check_and_are_not_shown(server: S3Server) -> None:
    blobs = s3(server)
    server.lock_everybody_out()
    with pytest.raises(S3Problem, match="InvalidAccessKeyId") as raised:
        await blobs.check()
    assert KEY.secret_access_key not in f"{raised.value} {KEY!r}"


@pytest.mark.parametrize(
    "bucket",
    [
        Bucket("blobs", "127.0.0.1:9000"),
        Bucket("blobs", "ftp://storage"),
        Bucket("blobs", "http://"),
        Bucket("blobs", "http://storage:99999"),
        Bucket("blobs", "http://a b"),
        Bucket("blobs", "https://user:password@storage"),
        Bucket(""),
        Bucket("a bucket"),
        Bucket("blobs", prefix="../other"),
    ],
)
def test_a_malformed_place_is_refused_before_any_request(bucket: Bucket) -> None:
    with pytest.raises(S3Problem) as raised:
        S3Blobs(bucket)
    assert "password" not in str(raised.value)
