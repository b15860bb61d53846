"""The reference to an encrypted payload: inline when small, else in the blob store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext under one account's data key, bound to `context` (its purpose and owner).

    Exactly one of `inline` (nonce and ciphertext) and `blob_id` is set. `size` is the length
    of the plain text in bytes.
    """

    key_id: str
    context: str
    size: int
    inline: bytes | None = None
    blob_id: str | None = None
