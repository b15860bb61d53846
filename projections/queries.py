"""The questions that the read models answer: lists by page and single objects, per account.

A query is a function of a `Snapshot`, to be given to `ReadModels.fetch`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause, Table, and_

from domain.billing.wallet import Wallet
from domain.errors import NotFound
from domain.ids import charge_id
from domain.ports.read_models import Snapshot
from projections import balances, deliveries, jobs, ledger, tables
from projections.listing import Condition, Listing, ListQuery, Page, find_row, rows_of

Query = Callable[[Snapshot], dict[str, Any]]

_JOBS = Listing("jobs", tables.JOBS, (tables.JOBS.c.position,), jobs.job_object)
_LEDGER = Listing(
    "ledger",
    tables.LEDGER_ENTRIES,
    (tables.LEDGER_ENTRIES.c.position, tables.LEDGER_ENTRIES.c.seq),
    lambda row, _: ledger.ledger_entry_object(row),
)
_CHARGES = Listing(
    "ledger",
    tables.CHARGES,
    (tables.CHARGES.c.position,),
    lambda row, _: ledger.charge_object(row),
)
_DELIVERIES = Listing(
    "webhook_deliveries",
    tables.WEBHOOK_DELIVERIES,
    (tables.WEBHOOK_DELIVERIES.c.position,),
    deliveries.delivery_object,
)


def list_jobs(
    account_id: str,
    page: Page,
    *,
    status: str | None = None,
    model: str | None = None,
    endpoint: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Query:
    """The account's jobs; `metadata` names pairs that all must match."""
    equal = _equal(tables.JOBS, model=model, endpoint=endpoint)
    if not metadata:
        return ListQuery(_JOBS, account_id, page, equal, status)
    pairs = [tables.JOB_METADATA.alias(f"pair_{number}") for number in range(len(metadata))]
    # The first pair leads, in the order of its own positions: jobs without it are never looked at.
    listing = replace(_JOBS, order=(pairs[0].c.position,))
    wanted = zip(pairs, metadata.items(), strict=True)
    matched = [_is_pair(pair, account_id, key, value) for pair, (key, value) in wanted]
    return ListQuery(listing, account_id, page, (*equal, *matched), status)


def list_ledger(account_id: str, page: Page, *, entry_type: str | None = None) -> Query:
    """The account's ledger entries."""
    return ListQuery(_LEDGER, account_id, page, _equal(tables.LEDGER_ENTRIES, type=entry_type))


def list_charges(account_id: str, page: Page, *, job_id: str | None = None) -> Query:
    """The account's charges; a job has at most one, under an id derived from its own."""
    only = None if job_id is None else charge_id(job_id)
    return ListQuery(_CHARGES, account_id, page, _equal(tables.CHARGES, id=only))


def list_deliveries(
    account_id: str,
    page: Page,
    *,
    event_id: str | None = None,
    job_id: str | None = None,
    endpoint_id: str | None = None,
    status: str | None = None,
) -> Query:
    """The account's webhook deliveries."""
    wanted = {"event_id": event_id, "job_id": job_id, "endpoint_id": endpoint_id}
    conditions = _equal(tables.WEBHOOK_DELIVERIES, **wanted)
    return ListQuery(_DELIVERIES, account_id, page, conditions, status)


def find_charge(account_id: str, charge_id: str) -> Query:
    """One charge with its explanation. The query raises `NotFound`."""
    return _find(_CHARGES, account_id, charge_id)


def find_delivery(account_id: str, delivery_id: str) -> Query:
    """One delivery with its attempts. The query raises `NotFound`."""
    return _find(_DELIVERIES, account_id, delivery_id)


def find_balance(account_id: str) -> Query:
    """The account's balance; zero for an account that never had any."""

    def query(snapshot: Snapshot) -> dict[str, Any]:
        rows = snapshot.rows(rows_of(tables.BALANCES, account_id))
        wallet = balances.wallet_of(rows[0]) if rows else Wallet()
        return balances.balance_object(wallet, snapshot.position("balances"))

    return query


def _find(listing: Listing, account_id: str, item_id: str) -> Query:
    def query(snapshot: Snapshot) -> dict[str, Any]:
        as_of = snapshot.position(listing.projection)
        row = find_row(snapshot, listing.table, account_id, item_id, as_of)
        if row is None:
            raise NotFound(f"there is no {item_id!r} in this account")
        return listing.render(row, as_of)

    return query


def _equal(table: Table, **wanted: str | None) -> tuple[Condition, ...]:
    return tuple(table.c[name] == value for name, value in wanted.items() if value is not None)


def _is_pair(pair: FromClause, account_id: str, key: str, value: str) -> Condition:
    return and_(
        pair.c.account_id == account_id,
        pair.c.key == key,
        pair.c.value == value,
        pair.c.position == tables.JOBS.c.position,
        pair.c.job_id == tables.JOBS.c.id,
    )
