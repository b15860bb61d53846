"""The events of money. Amounts are picodollars; every entry set sums to zero."""

from dataclasses import replace
from typing import Literal

from domain.event import Event, event
from domain.inference.events import Usage
from domain.value import value

Bucket = Literal["allowance", "purchased"]
# The customer's two ledger accounts, and the house's two on the other side.
LedgerAccount = Literal["allowance", "purchased", "revenue", "funding"]
Dimension = Literal[
    "input",
    "output",
    "ceiling",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "reasoning",
    "output_audio",
    "request",
    "own_key",
    "search",
]


@value(kw_only=True)
class Entry:
    """One line of a double entry: what `account` gains (or loses, when negative)."""

    account: LedgerAccount
    picodollars: int


@value(kw_only=True)
class RatingLine:
    """Quantity times unit price; the `ceiling` line gives back what passed the quoted maximum.

    The `own_key` line has the tokens that the provider bills the customer for, at no price.
    """

    dimension: Dimension
    quantity: int
    picodollars_per_unit: int
    picodollars: int


@event("billing.charge.recorded", version=1)
class ChargeRecorded(Event):
    """The one charge of a job: the rating of its usage under the pinned price version.

    What was called with the account's own key, `own_key`, is charged at nothing.

    `entries` and `balance_picodollars` (allowance plus purchased, after) are filled in by the
    event store in the transaction that moves the money.
    """

    charge_id: str
    job_id: str
    model: str
    provider: str
    native_id: str
    usage: Usage
    price_version: str
    lines: tuple[RatingLine, ...]
    picodollars: int
    entries: tuple[Entry, ...] = ()
    balance_picodollars: int | None = None
    own_key: str | None = None

    def posted(self, entries: tuple[Entry, ...], balance: int) -> "ChargeRecorded":
        """This event with the entries and the resulting balance."""
        return ChargeRecorded(  # one for every job: `replace` takes three times as long
            charge_id=self.charge_id,
            job_id=self.job_id,
            model=self.model,
            provider=self.provider,
            native_id=self.native_id,
            usage=self.usage,
            price_version=self.price_version,
            lines=self.lines,
            picodollars=self.picodollars,
            entries=entries,
            balance_picodollars=balance,
            own_key=self.own_key,
        )


@event("billing.credit.granted", version=1)
class CreditGranted(Event):
    """The house gave credit without a payment. `entries` as in `ChargeRecorded`."""

    credit_id: str
    bucket: Bucket
    picodollars: int
    reason: str
    entries: tuple[Entry, ...] = ()
    balance_picodollars: int | None = None

    def posted(self, entries: tuple[Entry, ...], balance: int) -> "CreditGranted":
        """This event with the entries and the resulting balance."""
        return replace(self, entries=entries, balance_picodollars=balance)


MOVES_MONEY = (ChargeRecorded, CreditGranted)
EVENTS: tuple[type[Event], ...] = MOVES_MONEY
