"""Where a blob stands: one relative path, the same in a folder and in a bucket.

So the blobs of a data directory can be copied into a bucket as they are.
"""

from domain.ids import Kind, is_id


def place_of(blob_id: str) -> str:
    """The last two digits of the id, then the id. Raises `ValueError` when it is no blob id."""
    if not is_id(Kind.BLOB, blob_id):
        raise ValueError(f"{blob_id!r} is no blob id")
    return f"{blob_id[-2:]}/{blob_id}"
