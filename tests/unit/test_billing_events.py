"""Events of money in the transaction that moves it."""

from dataclasses import replace

from domain.billing.events import ChargeRecorded, Entry
from tests.support.samples import sample


def test_a_posted_charge_says_all_that_it_said_before() -> None:
    charge = sample(ChargeRecorded)
    assert isinstance(charge, ChargeRecorded)
    entries = (Entry(account="purchased", picodollars=-7), Entry(account="revenue", picodollars=7))
    assert charge.posted(entries, 3) == replace(charge, entries=entries, balance_picodollars=3)
