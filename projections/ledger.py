"""The `ledger` read model: the customer's side of every entry, and every charge explained."""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.billing.events import ChargeRecorded, CreditGranted, Entry, RatingLine
from domain.event import Event, Recorded
from domain.ids import charge_id, ledger_entry_id
from domain.inference.events import AttemptRecord, JobCancelled, JobCompleted, Usage
from domain.inference.view import seconds, usage_object
from domain.money import TokenPrice
from domain.money import picodollars_to_usd as usd
from projections import tables
from projections.folding import Projection, Row, RowKey, Rows, from_json, require, to_json

ENTRIES = tables.LEDGER_ENTRIES.name
CHARGES = tables.CHARGES.name
_EMPTY: Row = dict.fromkeys(tables.CHARGES.columns.keys())
CUSTOMER_ACCOUNTS = ("allowance", "purchased")
NO_TOKENS = ("request", "search", "ceiling")


def keys(recorded: Recorded[Event]) -> Iterable[RowKey]:
    """The charge, which its job's end makes and the charge itself fills in."""
    match recorded.event:
        case JobCompleted(job_id=job_id) | JobCancelled(job_id=job_id, usage=Usage()):
            return ((CHARGES, charge_id(job_id), True),)
        case ChargeRecorded() as event:
            return ((CHARGES, event.charge_id, False),)
        case _:
            return ()


def fold(rows: Rows, recorded: Recorded[Event]) -> None:
    """The entries of a money event, and what a charge and its job say of the charge."""
    match recorded.event:
        case (JobCompleted() | JobCancelled(usage=Usage())) as event:
            rows.put(CHARGES, _announced(recorded, event))
        case ChargeRecorded() as event:
            row = require(rows, CHARGES, event.charge_id) | _charge(recorded, event)
            rows.put(CHARGES, row)
            _post(rows, _charge_entries(row, event.entries))
        case CreditGranted() as event:
            _post(rows, credit_entries(recorded, event))


def _post(rows: Rows, entries: Iterable[Row]) -> None:
    for row in entries:
        rows.put(ENTRIES, row)


def _announced(recorded: Recorded[Event], event: JobCompleted | JobCancelled) -> Row:
    return _EMPTY | {
        "id": charge_id(event.job_id),
        "account_id": recorded.account_id,
        "job_id": event.job_id,
        "attempts": to_json(event.attempts),
    }


def _charge(recorded: Recorded[Event], event: ChargeRecorded) -> Row:
    return {
        "position": recorded.position,
        "created_at": recorded.recorded_at,
        "model": event.model,
        "provider": event.provider,
        "usage": to_json(event.usage),
        "price_version": event.price_version,
        "lines": to_json(event.lines),
        "picodollars": event.picodollars,
        "entries": to_json(event.entries),
    }


def _charge_entries(charge: Mapping[str, Any], entries: Iterable[Entry]) -> list[Row]:
    about = {
        "type": "charge",
        "job_id": charge["job_id"],
        "charge_id": charge["id"],
        "description": charge["model"],
        "account_id": charge["account_id"],
        "position": charge["position"],
        "created_at": charge["created_at"],
    }
    return _entries(charge["id"], entries, about)


def credit_entries(recorded: Recorded[Event], event: CreditGranted) -> list[Row]:
    """The ledger rows of credit that was granted."""
    about = {
        "type": "grant",
        "job_id": None,
        "charge_id": None,
        "description": event.reason,
        "account_id": recorded.account_id,
        "position": recorded.position,
        "created_at": recorded.recorded_at,
    }
    return _entries(event.credit_id, event.entries, about)


def _entries(source_id: str, entries: Iterable[Entry], about: Row) -> list[Row]:
    """The customer's side of an entry set."""
    return [
        about
        | {
            "id": ledger_entry_id(source_id, seq),
            "seq": seq,
            "bucket": entry.account,
            "picodollars": entry.picodollars,
        }
        for seq, entry in enumerate(entries)
        if entry.account in CUSTOMER_ACCOUNTS
    ]


def attempt_object(attempt: AttemptRecord) -> dict[str, Any]:
    """An attempt as customers see it."""
    return {
        "provider": attempt.provider,
        "native_id": attempt.native_id,
        "started_at": seconds(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        **({} if attempt.own_key is None else {"own_key": attempt.own_key}),
    }


def line_object(line: RatingLine) -> dict[str, Any]:
    """A rating line as customers see it; what is not of tokens has no price per million."""
    price = TokenPrice(line.picodollars_per_unit).usd_per_million()
    return {
        "dimension": line.dimension,
        "quantity": line.quantity,
        "unit_price_usd_per_million": None if line.dimension in NO_TOKENS else price,
        "amount_usd": usd(line.picodollars),
    }


def ledger_entry_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ledger entry as customers see it; the amount is signed."""
    return {
        "id": row["id"],
        "object": "ledger_entry",
        "created_at": seconds(row["created_at"]),
        "type": row["type"],
        "account": row["bucket"],
        "amount_usd": usd(row["picodollars"]),
        "job_id": row["job_id"],
        "charge_id": row["charge_id"],
        "description": row["description"],
        "position": str(row["position"]),
    }


def charge_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A charge with its explanation: attempts, usage, price version, lines, ledger entries."""
    usage: Usage = from_json(row["usage"], Usage)
    attempts: tuple[AttemptRecord, ...] = from_json(row["attempts"], tuple[AttemptRecord, ...])
    lines: tuple[RatingLine, ...] = from_json(row["lines"], tuple[RatingLine, ...])
    entries: tuple[Entry, ...] = from_json(row["entries"], tuple[Entry, ...])
    return {
        "id": row["id"],
        "object": "charge",
        "job_id": row["job_id"],
        "created_at": seconds(row["created_at"]),
        "amount_usd": usd(row["picodollars"]),
        "model": row["model"],
        "provider": row["provider"],
        "usage": usage_object(usage),
        "usage_source": usage.source,
        "price_version": row["price_version"],
        "lines": [line_object(line) for line in lines],
        "attempts": [attempt_object(attempt) for attempt in attempts],
        "ledger": [ledger_entry_object(entry) for entry in _charge_entries(row, entries)],
    }


PROJECTION = Projection(
    name="ledger",
    version=2,
    tables=(tables.LEDGER_ENTRIES, tables.CHARGES),
    event_types=(ChargeRecorded, CreditGranted, JobCompleted, JobCancelled),
    keys=keys,
    fold=fold,
)
