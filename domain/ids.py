"""The prefixed, opaque ids: which kinds exist and how one is derived from another.

Fresh ids come from the `Ids` port, because they need a clock and randomness. Derived ids are
pure functions, so that doing a thing twice names the same stream and the store refuses the
second.
"""

from enum import StrEnum
from hashlib import sha256


class Kind(StrEnum):
    """The prefix of each kind of id."""

    JOB = "job"
    ACCOUNT = "acct"
    KEY = "key"
    PROVIDER_KEY = "pkey"
    CHARGE = "chg"
    CREDIT = "crd"
    LEDGER_ENTRY = "le"
    EVENT = "evt"
    WEBHOOK_ENDPOINT = "whe"
    WEBHOOK_DELIVERY = "whd"
    REQUEST = "req"
    LEASE = "lease"
    BLOB = "blob"
    PRICE_BOOK = "pb"
    BREAKER = "brk"
    INCIDENT = "inc"


# The account of facts that belong to the house itself (price books, provider health).
HOUSE_ACCOUNT = "acct_house"


def derived_id(kind: Kind, *parts: str) -> str:
    """An id of `kind` that is the same for the same parts, in 32 hexadecimal digits."""
    digest = sha256("\x1f".join((kind, *parts)).encode()).hexdigest()
    return kind + "_" + digest[:32]


def charge_id(job_id: str) -> str:
    """The id of the one charge that a job can have (promise P2)."""
    return Kind.CHARGE + "_" + job_id.partition("_")[2]


def ledger_entry_id(source_id: str, seq: int) -> str:
    """The id of one ledger entry of the charge or credit `source_id`."""
    return f"{Kind.LEDGER_ENTRY.value}_{source_id.replace('_', '')}{seq}"


def is_id(kind: Kind, text: str) -> bool:
    """Whether `text` has the form of an id of `kind`."""
    prefix, _, body = text.partition("_")
    return prefix == kind.value and len(body) == 32 and all(c in "0123456789abcdef" for c in body)
