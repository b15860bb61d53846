"""The master key: 32 bytes from which the engine derives every key of its own.

It comes from a setting or from a file that the first start creates. Whoever has it and a copy of
the data directory reads everything, so it belongs in no backup of the log: keep a copy apart.
"""

import base64
import binascii
import secrets
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.system.files import make_private_folder, write_whole

KEY_BYTES = 32
Purpose = Literal["wrap", "api-key-hash", "cursor", "check"]


class MasterKeyProblem(Exception):
    """The master key cannot be used; the message says why and never holds any of it."""


class MasterKey:
    """Derives one independent key for each purpose."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise MasterKeyProblem(f"the master key has {len(secret)} bytes, not {KEY_BYTES}")
        self._secret = secret

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def from_base64(cls, text: str) -> "MasterKey":
        """Reads 32 bytes in base64, either alphabet. Raises `MasterKeyProblem`."""
        plain = text.strip().replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return cls(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
        except (binascii.Error, ValueError) as error:
            raise MasterKeyProblem("the master key is not base64") from error

    @classmethod
    def from_file(cls, path: Path) -> "MasterKey":
        """Reads the key file, after creating it with mode 0600 when there is none.

        Raises `MasterKeyProblem` when everybody on the machine may read it.
        """
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o007:
            raise MasterKeyProblem(f"{path} is open to every user: chmod 600 {path}")
        return cls.from_base64(path.read_text("ascii"))

    def derive(self, purpose: Purpose) -> bytes:
        """The 32-byte key of one purpose, always the same."""
        label = f"gatewayz/{purpose}/v1".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=label).derive(self._secret)


def _create(path: Path) -> None:
    make_private_folder(path.parent, synced=True)
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    # Two processes may start at once: the slower one must not replace the other's key.
    write_whole(path, text, synced=True, replace=False)
