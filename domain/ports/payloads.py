"""Payloads: prompts, answers and recoverable secrets, encrypted under the account's data key."""

from typing import Protocol

from domain.sealed import Sealed


class PayloadErased(Exception):
    """The account's data key was destroyed: the payload can never be read again."""


class Payloads(Protocol):
    """Laws, held by `tests/contract/test_payloads.py`:

    1. `open` returns what `seal` was given, for the same account only.
    2. A changed ciphertext, context or account raises `ValueError`; nothing is returned.
    3. Nothing readable is written anywhere: small payloads are inline, larger ones in blobs.
    4. When `seal` has returned, the payload survives whatever the durability setting promises.
    """

    async def seal(self, account_id: str, context: str, plain: bytes) -> Sealed: ...

    async def discard(self, sealed: Sealed | None) -> None:
        """Forgets a payload that nothing refers to after all. A second time changes nothing, and
        None was never kept.
        """
        ...

    async def open(self, account_id: str, sealed: Sealed) -> bytes:
        """Raises `PayloadErased` when the key is gone, `ValueError` when anything was altered."""
        ...

    async def fingerprint(self, account_id: str, content: bytes) -> str:
        """A keyed hash that says whether two inputs of one account are the same."""
        ...
