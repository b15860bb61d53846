"""The wallet: what an account has and what is held, and how each operation changes it.

The same functions run inside the event store's transaction, where they decide, and in the
read models, where they are replayed; so the two cannot disagree.
"""

from dataclasses import dataclass, replace

from domain.billing.events import Bucket, Entry
from domain.errors import DomainError, InvalidRequest
from domain.money import MAX_PICODOLLARS
from domain.money import picodollars_to_usd as usd


class InsufficientCredits(DomainError):
    """The worst case of the request costs more than is available. Amounts in picodollars."""

    kind = "payment_required"
    code = "insufficient_credits"

    def __init__(self, *, required: int, available: int) -> None:
        self.required, self.available = required, available
        super().__init__(
            f"this request can cost up to {usd(required)} USD and {usd(available)} USD are "
            f"available: {usd(required - available)} USD short"
        )


@dataclass(frozen=True, slots=True)
class Wallet:
    """Balances of one account in picodollars; none is ever negative."""

    allowance: int = 0
    purchased: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        return self.allowance + self.purchased

    @property
    def available(self) -> int:
        return self.total - self.held


def hold(wallet: Wallet, amount: int) -> Wallet:
    """Sets `amount` aside. Raises `InsufficientCredits` when it is not available."""
    if amount > wallet.available:
        raise InsufficientCredits(required=amount, available=wallet.available)
    return Wallet(wallet.allowance, wallet.purchased, wallet.held + amount)


def release(wallet: Wallet, held: int) -> Wallet:
    """Gives a hold of `held` back."""
    return Wallet(wallet.allowance, wallet.purchased, wallet.held - held)


def capture(wallet: Wallet, held: int, amount: int) -> tuple[Wallet, tuple[Entry, ...]]:
    """Ends a hold of `held` and charges `amount` of it, allowance first.

    Raises `ValueError` when more would be charged than was held: the rating has the hold as its
    ceiling, so this cannot happen to a customer.
    """
    if not 0 <= amount <= held:
        raise ValueError(f"charge of {amount} picodollars against a hold of {held}")
    from_allowance = min(amount, wallet.allowance)
    from_purchased = amount - from_allowance
    after = Wallet(
        wallet.allowance - from_allowance, wallet.purchased - from_purchased, wallet.held - held
    )
    entries = []
    if from_allowance:
        entries.append(Entry(account="allowance", picodollars=-from_allowance))
    if from_purchased:
        entries.append(Entry(account="purchased", picodollars=-from_purchased))
    if amount:
        entries.append(Entry(account="revenue", picodollars=amount))
    return after, tuple(entries)


def credit(wallet: Wallet, bucket: Bucket, amount: int) -> tuple[Wallet, tuple[Entry, ...]]:
    """Adds `amount` to `bucket`. Raises `InvalidRequest` beyond the largest balance."""
    if amount <= 0:
        raise InvalidRequest("a credit must be more than zero", param="amount_usd")
    if wallet.total + amount > MAX_PICODOLLARS:
        raise InvalidRequest("the balance would pass the largest amount", param="amount_usd")
    if bucket == "allowance":
        after = replace(wallet, allowance=wallet.allowance + amount)
    else:
        after = replace(wallet, purchased=wallet.purchased + amount)
    entries = (
        Entry(account=bucket, picodollars=amount),
        Entry(account="funding", picodollars=-amount),
    )
    return after, entries
